#pragma once
// Runs one set of recorded values on two executors, on the same host data, and compares every element.

#include <string>
#include <vector>

#include <tessera/core/executor.h>
#include <tessera/core/tensor.h>

namespace tessera::testing {

// Relative to the dtype's epsilon: |a − b| ≤ ulps · ε · (|b| + 0.1 · max|b|). Integers and bools compare exactly, NaN
// equals NaN, infinities compare by sign.
struct Tolerance {
  double ulps = 8;
  double floor = 0;  // absolute, for results of cancellation: what rounding leaves of terms near 1
};

struct Checked {
  std::string name;
  Tensor value;
  Tolerance tolerance = {};
};

double epsilon(DType);
// By output and element: how far two right answers may be apart, beside the tolerance, as so many runs show it. Infinite: one
// of the two may overflow.
using MayBeApart = std::vector<std::vector<double>>(const Program&, const std::vector<BufferPtr>& arguments,
                                                    const std::vector<BufferPtr>& reference, int runs);
// One line per value that differs, empty when all agree. `reference` is the second operand of the comparison.
std::vector<std::string> differences(const std::vector<Checked>& values, Executor& tested, Executor& reference,
                                     MayBeApart* = nullptr);
// The same for results that are already there.
std::string difference(const Buffer& tested, const Buffer& reference, DType, int64_t count, Tolerance,
                       const std::vector<double>& may_be_apart = {});
// Of all results of one program, as kernels may differ that sum in another order: 16 bits by 4 units in the last place where all
// of them is computed in f32 (8 where the reference rounds each op of a chain to 16 bits), and other floats by 64.
std::string kernel_differences(const std::vector<Tensor>& results, const std::vector<BufferPtr>& tested,
                               const std::vector<BufferPtr>& reference, double ulps_of_16_bits = 4);

}  // namespace tessera::testing
