#pragma once
// A sum of exp(x − m) under the highest x so far, m. Where m is −infinity there was nothing to add.

#include "core.cuh"

namespace tessera {

TESSERA_DEVICE float shift_under(float highest) { return highest == -infinity ? 0.f : highest; }
// What makes a sum under `before` one under `now`, which is not lower.
TESSERA_DEVICE float rescale(float before, float now) {
  return before == -infinity ? 0.f : exp2(log2_e * (before - now));
}

}  // namespace tessera
