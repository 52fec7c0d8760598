#pragma once
// How far one result is from another, as a whole.

#include <cmath>
#include <cstddef>
#include <vector>

#include <tessera/core/tensor.h>

namespace tessera::testing {

// √(Σ (a − b)² / Σ b²)
inline double difference(const Tensor& a, const Tensor& b) {
  const std::vector<double> x = a.to_vector<double>(), y = b.to_vector<double>();
  double off = 0, all = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    off += (x[i] - y[i]) * (x[i] - y[i]);
    all += y[i] * y[i];
  }
  return std::sqrt(off / all);
}

}  // namespace tessera::testing
