#pragma once
// Random programs for differential tests: shape-consistent graphs with values that stay near 1, so that executors can
// be compared by relative error. Ops with jumps (compare, floor, argmax, sort) are applied only to exact values: program
// inputs and integers, where executors cannot disagree by rounding.

#include <cstdint>
#include <optional>
#include <vector>

#include <tessera/core/tensor.h>

#include "tests/support/compare_executors.h"

namespace tessera::testing {

struct RandomGraph {
  std::vector<Checked> outputs;  // values and some gradients; tolerances are of f32 and f64 (support/random_rounding.h)
};

// Planes are of what most of the graph is of, f32 or f64, or of `of_planes`.
RandomGraph random_graph(uint64_t seed, std::optional<DType> of_planes = std::nullopt);

}  // namespace tessera::testing
