#pragma once
// Comparing a tensor with numbers worked out by hand.

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include <tessera/core/tensor.h>

namespace tessera::testing {

inline void expect_near(const Tensor& value, const std::vector<double>& expected, double tolerance = 1e-5) {
  std::vector<double> have = value.to_vector<double>();
  ASSERT_EQ(have.size(), expected.size());
  for (size_t i = 0; i < have.size(); ++i)
    EXPECT_NEAR(have[i], expected[i], tolerance * (1 + std::fabs(expected[i]))) << "element " << i;
}

// f32 values that are easy to follow: start, start + step, …
inline Tensor ramp(Shape shape, double start = 0, double step = 1) {
  std::vector<float> data(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<float>(start + step * static_cast<double>(i));
  return tensor(data, shape);
}

}  // namespace tessera::testing
