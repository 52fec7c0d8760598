#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tessera/autograd/gradcheck.h>

namespace tessera {
namespace {

using ::testing::ElementsAre;

std::vector<double> values(const Tensor& t) { return t.to_vector<double>(); }

TEST(CustomVjp, ReplacesTheBackward) {
  auto reversed = custom_vjp([](const Tensors& x) { return x; },
                             [](auto&, auto&, const Tensors& g) { return Tensors{-2.0 * g[0]}; });
  Tensor x = tensor<double>({1, 2});
  Tensor y = reversed({x * 3})[0];
  EXPECT_THAT(values(grad(sum(y * y), x)), ElementsAre(-36, -72));
  EXPECT_THAT(values(y), ElementsAre(3, 6));
}

TEST(CustomVjp, PassesStraightThroughARound) {
  auto round_through = custom_vjp([](const Tensors& x) { return Tensors{round(x[0])}; },
                                  [](auto&, auto&, const Tensors& g) { return g; });
  Tensor x = tensor<double>({1.2, 2.7});
  EXPECT_THAT(values(grad(sum(square(round_through({x})[0])), x)), ElementsAre(2, 6));
}

TEST(CustomVjp, GathersTheCotangentsOfAllOutputs) {
  int calls = 0;
  auto both = custom_vjp([](const Tensors& x) { return Tensors{x[0] + x[1], x[0] * x[1]}; },
                         [&](const Tensors& x, const Tensors& y, const Tensors& g) {
                           ++calls;
                           EXPECT_EQ(y.size(), 2u);
                           return Tensors{g[0] + g[1] * x[1], g[0] + g[1] * x[0]};
                         });
  Tensor a = tensor<double>({2}), b = tensor<double>({5});
  Tensors y = both({a, b});
  Tensors g = grad(sum(y[0] * 10 + y[1] * y[0]), {a, b});
  EXPECT_EQ(calls, 1);
  EXPECT_THAT(values(g[0]), ElementsAre(10 + 10 + 7 * 5));
  EXPECT_THAT(values(g[1]), ElementsAre(10 + 10 + 7 * 2));
  Tensors second = both({a, b});
  Tensor product = second[1];
  second.clear();  // the sum is gone: its cotangent is zero
  EXPECT_THAT(values(grad(sum(product), a)), ElementsAre(5));
}

TEST(CustomVjp, DifferentiatesTwice) {
  auto my_exp = custom_vjp([](const Tensors& x) { return Tensors{exp(x[0])}; },
                           [](auto&, const Tensors& y, const Tensors& g) { return Tensors{g[0] * y[0]}; });
  auto f = [&](const Tensors& x) { return square(my_exp({x[0] * x[0]})[0]); };
  GradcheckResult result = gradcheck(f, {tensor<double>({0.3, -0.7})}, {.order = 3});
  EXPECT_TRUE(result) << result.str();
}

TEST(CustomVjp, MayGiveNoGradient) {
  auto first_only =
      custom_vjp([](const Tensors& x) { return Tensors{x[0] * x[1]}; },
                 [](const Tensors& x, auto&, const Tensors& g) { return Tensors{g[0] * x[1], Tensor()}; });
  Tensor a = tensor<double>({2}), b = tensor<double>({5});
  Tensors g = grad(sum(first_only({a, b})[0]), {a, b});
  EXPECT_THAT(values(g[0]), ElementsAre(5));
  EXPECT_THAT(values(g[1]), ElementsAre(0));
}

TEST(CustomVjp, TakesIntegerInputs) {
  auto pick = custom_vjp([](const Tensors& x) { return Tensors{gather(x[0], x[1])}; },
                         [](const Tensors& x, auto&, const Tensors& g) {
                           return Tensors{scatter(zeros_like(x[0]), x[1], g[0], 0, ScatterMode::add), Tensor()};
                         });
  Tensor x = tensor<double>({2, 3, 4});
  EXPECT_THAT(values(grad(sum(pick({x, tensor<int64_t>({2, 2})})[0]), x)), ElementsAre(0, 0, 2));
}

TEST(CustomVjp, HoldsNothingThatAReadWouldCompute) {
  auto f =
      custom_vjp([](const Tensors& x) { return Tensors{exp(x[0])}; }, [](auto&, auto&, const Tensors& g) { return g; });
  Tensor y = f({tensor<double>({1.0}) * 2})[0];
  const NodePtr inner = y.node()->inputs[0];
  EXPECT_EQ(inner->handles.load(), 0);
  EXPECT_EQ(inner->inputs[0]->handles.load(), 0);
}

TEST(CustomVjp, IsForgottenOnceTheValueIsComputed) {
  auto f =
      custom_vjp([](const Tensors& x) { return Tensors{exp(x[0])}; }, [](auto&, auto&, const Tensors& g) { return g; });
  Tensor y = f({tensor<double>({1.0}) * 2})[0];
  std::weak_ptr<Node> inner = y.node()->inputs[0];
  y.eval();
  EXPECT_TRUE(inner.expired());
}

TEST(CustomVjp, EndsALongChainWithoutRecursion) {
  auto f =
      custom_vjp([](const Tensors& x) { return Tensors{-x[0]}; }, [](auto&, auto&, const Tensors& g) { return g; });
  Tensor x = tensor<double>({1.0}), y = x;
  for (int i = 0; i < 100'000; ++i) y = f({y})[0];
  EXPECT_TRUE(grad(sum(y), x).valid());
}

}  // namespace
}  // namespace tessera
