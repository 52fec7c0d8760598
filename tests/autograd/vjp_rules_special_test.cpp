// Rules where calculus is delicate: zeros, ties, duplicates, empty and masked operands, letters summed away alone.

#include <cmath>
#include <functional>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tessera/autograd/gradcheck.h>

namespace tessera {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::Pointwise;

Tensor f64s(std::vector<double> values, Shape shape) { return tensor(values, std::move(shape)); }
Tensor row(std::vector<double> values) {
  const int64_t n = static_cast<int64_t>(values.size());
  return tensor(values, {n});
}
std::vector<double> gradient(const Tensor& loss, const Tensor& x) { return grad(loss, x).to_vector<double>(); }

void expect_gradient(const Tensors& inputs, const std::function<Tensor(const Tensors&)>& f) {
  const GradcheckResult result = gradcheck(f, inputs, {.order = 2});
  EXPECT_TRUE(result) << result.str();
}

TEST(Product, OfZerosHasTheGradientOfTheOthers) {
  Tensor x = row({2, 0, 3});
  EXPECT_THAT(gradient(prod(x), x), ElementsAre(0, 6, 0));
  for (std::vector<double> values : {std::vector<double>{2, 0, 3, 5, 7, 11}, {2, 0, 3, 5, 0, 11}, {0, 0, 0, 5, 7, 11}})
    for (Dims dims : {Dims{0}, Dims{1}, Dims{0, 1}})
      expect_gradient({f64s(values, {2, 3})}, [&](const Tensors& in) { return prod(in[0], dims); });
  expect_gradient({f64s({1, 2, 0, 3, 4, 5, 6, 7}, {2, 2, 2})}, [&](const Tensors& in) { return prod(in[0], {0, 2}); });
}

TEST(CumulativeProduct, OfZerosHasTheGradientOfTheOthers) {
  for (std::vector<double> values :
       {std::vector<double>{2, 0.5, 3, -1, 2}, {2, 0, 3, -1, 2}, {0, 0, 3, 0, 2}, {2, 3, 4, 5, 0}})
    for (bool reverse : {false, true}) {
      expect_gradient({row(values)}, [&](const Tensors& in) { return cumprod(in[0], 0, reverse); });
      expect_gradient({f64s(values, {5, 1})}, [&](const Tensors& in) { return cumprod(in[0], 0, reverse); });
      expect_gradient({f64s(values, {5, 1})}, [&](const Tensors& in) { return cumprod(in[0], 1, reverse); });
    }
}

TEST(CumulativeMaximum, GoesToTheFirstOfEquals) {
  Tensor x = row({1, 3, 3, 2, 5, 5}), weight = row({1, 2, 4, 8, 16, 32});
  EXPECT_THAT(gradient(sum(cummax(x, 0) * weight), x), ElementsAre(1, 14, 0, 0, 48, 0));
  EXPECT_THAT(gradient(sum(cummax(x, 0, true) * weight), x), ElementsAre(0, 0, 0, 0, 0, 63 - 0));
  Tensor low = row({-std::numeric_limits<double>::infinity(), 1, 0});
  EXPECT_THAT(gradient(sum(cummax(low, 0)), low), ElementsAre(1, 2, 0));
  expect_gradient({f64s({1, 4, 2, 8, 3, 9, 7, 5, 6, 0, 11, 10}, {2, 3, 2})},
                  [&](const Tensors& in) { return square(cummax(in[0], 1)); });
  expect_gradient({f64s({1, 4, 2, 8, 3, 9, 7, 5, 6, 0, 11, 10}, {2, 3, 2})},
                  [&](const Tensors& in) { return square(cummax(in[0], 1, true)); });
}

TEST(Ties, AreSplitEvenly) {
  Tensor a = row({1, 2, 3}), b = row({1, 3, 2});
  EXPECT_THAT(gradient(sum(maximum(a, b)), a), ElementsAre(0.5, 0, 1));
  EXPECT_THAT(gradient(sum(maximum(a, b)), b), ElementsAre(0.5, 1, 0));
  EXPECT_THAT(gradient(sum(minimum(a, b)), a), ElementsAre(0.5, 1, 0));
  Tensor x = row({4, 1, 4, 4, 1});
  EXPECT_THAT(gradient(max(x) * 3, x), ElementsAre(1, 0, 1, 1, 0));
  EXPECT_THAT(gradient(min(x) * 3, x), ElementsAre(0, 1.5, 0, 0, 1.5));
}

TEST(Ties, AreCountedAlsoWhereTheDtypeCannot) {
  Tensor x = cast(ones({100'000}), f16);
  EXPECT_NEAR(gradient(max(x), x)[7], 1e-5, 1e-7);
  Tensor base = cast(zeros({1}), f16), updates = cast(ones({100'000}), f16);
  Tensor y = scatter(base, zeros({100'000}, i32), updates, 0, ScatterMode::max);
  EXPECT_NEAR(gradient(sum(y), updates)[7], 1e-5, 1e-7);
}

TEST(Ties, LetANaNThrough) {
  Tensor a = row({std::nan(""), 1, 3}), b = row({1, std::nan(""), 2});
  for (auto f : {maximum, minimum}) {
    EXPECT_THAT(gradient(sum(f(a, b) * row({2, 4, 0})), a), ElementsAre(2, 4, 0));
    EXPECT_THAT(gradient(sum(f(a, b) * row({2, 4, 0})), b), ElementsAre(2, 4, 0));
  }
}

TEST(Pow, IsDefinedAtZero) {
  Tensor x = row({0, 2, 0}), e = row({0, 3, 2});
  EXPECT_THAT(gradient(sum(pow(x, e)), x), ElementsAre(0, 12, 0));
  EXPECT_THAT(gradient(sum(pow(x, e)), e), ElementsAre(0, 8 * std::log(2.0), 0));
  Tensor negative = row({-2, -1});
  EXPECT_THAT(gradient(sum(pow(negative, 3)), negative), ElementsAre(12, 3));
  EXPECT_THAT(gradient(sum(pow(negative, 2)), negative), ElementsAre(-4, -2));
  EXPECT_THAT(gradient(sum(pow(negative, 1)), negative), ElementsAre(1, 1));
  EXPECT_THAT(gradient(sum(pow(negative, 0)), negative), ElementsAre(0, 0));
}

TEST(Pow, HasAnExponentThatCanBeAskedFor) {
  Tensor a = scalar(3.0, f64), b = scalar(2.0, f64);
  EXPECT_NEAR(grad(grad(pow(a, b), a), b).item<double>(), 3 * (1 + 2 * std::log(3.0)), 1e-12);
  for (double exponent : {0.0, 1.0}) {
    Tensor c = full({1}, exponent, f64);
    EXPECT_NEAR(gradient(grad(sum(pow(a, c)), a), c)[0], std::pow(3, exponent - 1) * (1 + exponent * std::log(3.0)),
                1e-12);
  }
  // In both orders, also where the first derivative is 0.
  Tensor x = row({3, 0.25}), zero = row({0, 0});
  const std::vector<double> mixed{1 / 3., 4};
  EXPECT_THAT(gradient(sum(grad(sum(pow(x, zero)), x)), zero), Pointwise(DoubleNear(1e-12), mixed));
  EXPECT_THAT(gradient(sum(grad(sum(pow(x, zero)), zero)), x), Pointwise(DoubleNear(1e-12), mixed));
  // 1 / a may be infinite, and 0 times that is no gradient.
  Tensor least = row({0, std::numeric_limits<double>::denorm_min()}), none = row({0, 0});
  EXPECT_THAT(gradient(sum(pow(least, none)), least), ElementsAre(0, 0));
}

TEST(Scatter, OfDuplicatesFollowsTheWinner) {
  Tensor base = row({1, 2, 3}), at = tensor<int64_t>({2, 0, 2}), updates = row({5, 6, 7}), weight = row({1, 10, 100});
  Tensor written = sum(scatter(base, at, updates, 0, ScatterMode::set) * weight);
  Tensors g = grad(written, {base, updates});
  EXPECT_THAT(g[0].to_vector<double>(), ElementsAre(0, 10, 0));
  EXPECT_THAT(g[1].to_vector<double>(), ElementsAre(0, 1, 100));
}

TEST(Scatter, MaximumSplitsTies) {
  Tensor base = row({1, 2, 7}), at = tensor<int64_t>({2, 0, 2}), updates = row({7, 0, 7}), weight = row({1, 10, 300});
  Tensor most = sum(scatter(base, at, updates, 0, ScatterMode::max) * weight);
  Tensors g = grad(most, {base, updates});
  EXPECT_THAT(g[0].to_vector<double>(), ElementsAre(1, 10, 100));
  EXPECT_THAT(g[1].to_vector<double>(), ElementsAre(100, 0, 100));
}

TEST(Scatter, AgreesWithDifferencesAlongAnyDim) {
  Tensor base = f64s({1, 4, 2, 8, 3, 9}, {2, 3}), at = tensor<int32_t>({2, 0, 2, 1}, {2, 2});
  Tensor updates = f64s({7, 5, 6, 0, 11, 10, 13, 12}, {2, 2, 2});
  for (ScatterMode mode : {ScatterMode::set, ScatterMode::add, ScatterMode::max})
    expect_gradient({base, updates}, [&](const Tensors& in) { return square(scatter(in[0], at, in[1], 1, mode)); });
}

TEST(Contract, SpreadsLettersThatWereSummedAlone) {
  Tensor a = f64s({1, 2, 3, 4, 5, 6}, {2, 3}), b = f64s({7, 8, 9, 1}, {2, 2});
  expect_gradient({a, b}, [&](const Tensors& in) { return einsum("ab,cd->", in[0], in[1]); });
  expect_gradient({a, b}, [&](const Tensors& in) { return einsum("ab,ac->c", in[0], in[1]); });
  expect_gradient({a, b}, [&](const Tensors& in) { return einsum("ab,ca->bc", in[0], in[1]); });
}

TEST(Contract, ReachesPositionsThatAStrideLeavesOut) {
  Tensor image = f64s(std::vector<double>(2 * 8, 0.5), {2, 8}),
         kernel = f64s({1, -2, 3, 0.5, 2, 1, -1, 4, 2, 1, 0, 3}, {2, 2, 3});
  for (int64_t stride : {1, 2, 3})
    for (int64_t dilation : {1, 2})
      for (int64_t pad : {0, 1, 2})
        expect_gradient({image, kernel}, [&](const Tensors& in) {
          return square(contract(in[0], in[1], "cl,kcr->kp", {{'l', 'p', 'r', stride, dilation, pad}}));
        });
}

TEST(Softmax, OfAMaskedRowHasNoGradient) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  Tensor x = f64s({-inf, -inf, -inf, 1}, {2, 2});
  EXPECT_THAT(gradient(sum(softmax(x, 1) * f64s({1, 2, 3, 4}, {2, 2})), x), ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(gradient(sum(logsumexp(x, 1)), x), ElementsAre(0, 0, 0, 1));
}

TEST(Sort, FollowsThePermutation) {
  Tensor x = f64s({3, 1, 2, 6, 5, 4}, {2, 3}), weight = f64s({1, 2, 3, 4, 5, 6}, {2, 3});
  EXPECT_THAT(gradient(sum(sort(x, 1) * weight), x), ElementsAre(3, 1, 2, 6, 5, 4));
  EXPECT_THAT(gradient(sum(topk(x, 1, 1).first), x), ElementsAre(1, 0, 0, 1, 0, 0));
  expect_gradient({x}, [&](const Tensors& in) { return square(sort(in[0], 0, true)); });
}

TEST(Empty, OperandsGetEmptyGradients) {
  Tensor x = zeros({0, 3}, f64), y = f64s({1, 2}, {2});
  EXPECT_EQ(grad(sum(concat({x, x}, 0)) + sum(y), x).shape(), (Shape{0, 3}));
  EXPECT_THAT(gradient(sum(pad(slice(y, 0, {1, 1}), {{1, 1}}, 5)), y), ElementsAre(0, 0));
  EXPECT_EQ(grad(sum(pad(x, {{1, 1}, {0, 0}}, 5)), x).shape(), (Shape{0, 3}));
  EXPECT_EQ(grad(sum(cumprod(x, 0)), x).shape(), (Shape{0, 3}));
  EXPECT_EQ(grad(sum(cummax(x, 1)), x).shape(), (Shape{0, 3}));
}

TEST(Cast, ReturnsInTheSourceDtype) {
  Tensor x = tensor<float>({1, 2, 3});
  Tensor g = grad(sum(cast(x, f64) * 2.5), x);
  EXPECT_EQ(g.dtype(), f32);
  EXPECT_THAT(g.to_vector<float>(), ElementsAre(2.5f, 2.5f, 2.5f));
  Tensor half = cast(x, bf16).eval();
  EXPECT_EQ(grad(sum(cast(half, f32) * half), half).dtype(), bf16);
  EXPECT_THAT(gradient(sum(cast(cast(x, i32), f32)), x), ElementsAre(0, 0, 0));
}

TEST(Cast, ThroughF8KeepsThePrecisionOfTheGradient) {
  Tensor x = tensor<float>({1, 2, 3});
  Tensor y = cast(cast(x, f8e4m3), f32);
  EXPECT_THAT(grad(sum(y * 0.3), x).to_vector<float>(), ElementsAre(0.3f, 0.3f, 0.3f));
  Tensor two = reshape(cast(x, f8e4m3), {3, 1});
  EXPECT_THAT(grad(sum(cast(two, f32) * 0.3) + sum(cast(two, f32) * 0.7), x).to_vector<float>(),
              ElementsAre(1.f, 1.f, 1.f));
}

TEST(Rem, HasAStepInItsSecondOperand) {
  Tensor a = row({7, -7}), b = row({3, 3});
  EXPECT_THAT(gradient(sum(remainder(a, b)), a), ElementsAre(1, 1));
  EXPECT_THAT(gradient(sum(remainder(a, b)), b), ElementsAre(-2, 3));
}

}  // namespace
}  // namespace tessera
