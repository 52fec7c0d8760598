#include <tessera/nn/losses.h>

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include <tessera/autograd/grad.h>
#include <tessera/core/error.h>

#include "tests/nn/near.h"

namespace tessera::nn {
namespace {

using tessera::testing::expect_near;
using tessera::testing::ramp;

// Rows (0, 1, 2) and (3, 4, 5): both have the same softmax.
const double normalizer = std::log(1 + std::exp(1.0) + std::exp(2.0));

TEST(CrossEntropy, IsTheMeanNegativeLogLikelihood) {
  Tensor logits = ramp({2, 3});
  expect_near(cross_entropy(logits, tensor<int32_t>({0, 2})), {(normalizer + normalizer - 2) / 2});
  expect_near(cross_entropy(logits, tensor<int64_t>({0, 2}), {.reduction = Reduction::none}),
              {normalizer, normalizer - 2});
  expect_near(cross_entropy(reshape(logits, {2, 1, 3}), tensor<int32_t>({1, 1}, {2, 1}), {.reduction = Reduction::sum}),
              {2 * (normalizer - 1)});
}

TEST(CrossEntropy, LeavesIgnoredTargetsOut) {
  Tensor logits = ramp({3, 3});
  Tensor targets = tensor<int32_t>({0, -100, 2});
  expect_near(cross_entropy(logits, targets, {.ignore_index = -100}), {normalizer - 1});
  expect_near(cross_entropy(logits, targets, {.ignore_index = -100, .reduction = Reduction::none}),
              {normalizer, 0, normalizer - 2});
  expect_near(cross_entropy(logits, tensor<int32_t>({7, 7, 7}), {.ignore_index = 7}), {0});
}

TEST(CrossEntropy, RefusesATargetThatIsNoClass) {
  for (int32_t target : {3, -1}) {
    try {
      cross_entropy(ramp({1, 3}), tensor<int32_t>({target}), {.ignore_index = -100}).eval();
      ADD_FAILURE() << target;
    } catch (const ValueError& error) {
      EXPECT_EQ(error.text().path, "cross_entropy");
      EXPECT_NE(error.text().fault.find("index " + std::to_string(target)), std::string::npos) << error.what();
      EXPECT_NE(error.text().at.str().find("losses_test.cpp"), std::string::npos) << error.what();
    }
  }
}

TEST(CrossEntropy, SmoothsLabels) {
  expect_near(cross_entropy(ramp({1, 3}), tensor<int32_t>({2}), {.label_smoothing = 0.3}),
              {0.7 * (normalizer - 2) + 0.3 * (normalizer - 1)});
}

TEST(CrossEntropy, StaysFiniteForLargeLogits) {
  expect_near(cross_entropy(tensor<float>({1000, 0}, {1, 2}), tensor<int32_t>({1})), {1000});
}

TEST(CrossEntropy, CountsMoreTargetsThanF16Could) {
  const int64_t rows = 70'000;
  Tensor loss = cross_entropy(cast(ones({rows, 2}), f16), zeros({rows}, i32), {.ignore_index = 1});
  EXPECT_EQ(loss.dtype(), f16);
  expect_near(loss, {std::log(2.0)}, 1e-3);
}

TEST(CrossEntropy, ChecksItsArguments) {
  EXPECT_THROW(cross_entropy(ramp({2, 3}), tensor<int32_t>({0, 1, 2})), ShapeError);
  EXPECT_THROW(cross_entropy(ramp({2, 3}), ramp({2})), DTypeError);
}

TEST(Losses, HaveTheirFormulas) {
  Tensor p = tensor<float>({1, -2, 0.5, 4}), t = tensor<float>({0, 0, 1, 1});
  expect_near(mse(p, t), {(1 + 4 + 0.25 + 9) / 4});
  expect_near(l1(p, t), {(1 + 2 + 0.5 + 3) / 4});
  expect_near(huber(p, t, 1.5), {(0.5 + 1.5 * (2 - 0.75) + 0.125 + 1.5 * (3 - 0.75)) / 4});
  auto bce = [](double x, double y) { return std::log1p(std::exp(-std::fabs(x))) + std::max(x, 0.0) - x * y; };
  expect_near(bce_with_logits(p, t), {(bce(1, 0) + bce(-2, 0) + bce(0.5, 1) + bce(4, 1)) / 4});
  expect_near(bce_with_logits(tensor<float>({200, -200}), tensor<float>({1, 0})), {0});
  Tensor a = log(tensor<float>({0.25, 0.75}, {1, 2})), b = log(tensor<float>({0.5, 0.5}, {1, 2}));
  expect_near(kl(a, b), {0.25 * std::log(0.5) + 0.75 * std::log(1.5)});
  EXPECT_THROW(mse(p, ramp({4, 1})), ShapeError);
}

TEST(Losses, OfNarrowFloatsAreFinite) {
  expect_near(mse(cast(ones({100'000}), f16), cast(zeros({100'000}), f16)), {1});
}

TEST(Losses, NothingComesOfWhatIsImpossible) {
  const float never = -std::numeric_limits<float>::infinity();
  Tensor p = tensor<float>({0, never}, {1, 2}), q = log(tensor<float>({0.5, 0.5}, {1, 2}));
  Tensor loss = kl(p, q), to_p = grad(loss, p), to_q = grad(loss, q);
  expect_near(loss, {std::log(2.0)});
  expect_near(to_p, {1 + std::log(2.0), 0});
  expect_near(to_q, {-1, 0});
  expect_near(kl(p, p), {0});
}

}  // namespace
}  // namespace tessera::nn
