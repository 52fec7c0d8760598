// What random roundings say that rounding may do.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <tessera/core/executor.h>
#include <tessera/core/ops.h>

#include "tests/support/host_data.h"
#include "tests/support/random_rounding.h"

namespace tessera::testing {
namespace {

std::vector<double> moved(const Tensor& value, int runs = 256) {
  std::vector<NodePtr> captured;
  const Program program = flatten({}, {value.node()}, false, &captured);
  std::vector<BufferPtr> arguments;
  for (const NodePtr& node : captured) arguments.push_back(node->value);
  std::vector<BufferPtr> given = arguments;
  const std::vector<BufferPtr> reference = reference_executor().compile(program)->run(program, given);
  return moved_by_rounding(program, arguments, reference, runs)[0];
}

Tensor drawn(DType dtype, const Shape& shape) {
  Draw draw(7);
  return random_tensor(draw, dtype, shape);
}

TEST(RandomRounding, moves_nothing_that_is_exact) {
  const Tensor x = drawn(bf16, {64});
  EXPECT_THAT(moved(cast(maximum(x, reverse(x * 0.5, {0})), f32)), ::testing::Each(0.0));
  const Tensor scaled = x * 0.7;  // rounded, and its maximum is found all the same
  EXPECT_THAT(moved(cast(max(scaled, {0}) == scaled, i32)), ::testing::Each(0.0));
  EXPECT_THAT(moved(cast(maximum(scaled, -8.0) == scaled, i32)), ::testing::Each(0.0));  // passed on, not computed
  EXPECT_THAT(moved(exp(drawn(f32, {64}))), ::testing::Each(0.0));
}

TEST(RandomRounding, moves_a_sum_by_the_root_of_its_terms) {
  const Tensor x = 1.5 + 0.2 * drawn(f32, {64, 256});  // between 1 and 2, where bf16 has steps of 2⁻⁷
  // Of 16 runs the farthest is not so far that it decides.
  const std::vector<double> found = moved(sum(cast(cast(x, bf16), f32), {1}), 16);
  double squares = 0;
  for (double one : found) squares += one * one / static_cast<double>(found.size());
  const double expected = 4 * std::sqrt(13.0 / 36 * 256) * 0x1p-7;
  EXPECT_NEAR(std::sqrt(squares), expected, 0.15 * expected);
}

// 1 − y² where y is 1 but for its last bits: all that is left is rounding.
TEST(RandomRounding, moves_what_is_left_of_a_difference_by_more_than_that) {
  const Tensor y = tanh(full({1}, 2.9, bf16)), left = cast(1 - y * y, f32);
  const double by_rounding = moved(left)[0];
  EXPECT_GT(by_rounding, left.to_vector<float>()[0]);
}

// A kernel that has 0.1 as it is differs from one that has the nearest bf16 in all of them the same way.
TEST(RandomRounding, moves_a_constant_to_one_side) {
  const Tensor tenths = cast(full({256}, 0.1, bf16), f32);  // steps of 2⁻¹¹
  EXPECT_GT(moved(sum(tenths, {0}))[0], 256 * 0x1p-11);
}

TEST(RandomRounding, decides_whether_a_product_overflows) {
  const Tensor x = full({1}, 255.0, f16) * full({1}, 1.003, f16);  // 256 is near, whose square f16 does not have
  EXPECT_TRUE(std::isinf(moved(x * x)[0]));
  EXPECT_FALSE(std::isinf(moved(cast(x, f32) * 2)[0]));
  const Tensor beyond = full({64}, 300.0, f16) * full({64}, 300.0, f16);  // a kernel keeps all of them, or none
  EXPECT_TRUE(std::isinf(moved(sum(cast(beyond, f32), {0}))[0]));
}

}  // namespace
}  // namespace tessera::testing
