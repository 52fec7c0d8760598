#pragma once
// How a kernel is launched, as a constant of its text that the host reads after loading: the text alone decides.

#include "core.cuh"

namespace tessera {

struct Launch {
  int threads, cluster, shared_bytes;
  int box_rows[8];  // of the tensor maps, in the order of the parameters
};

}  // namespace tessera
