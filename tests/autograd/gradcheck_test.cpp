#include <gtest/gtest.h>
#include <tessera/autograd/gradcheck.h>

namespace tessera {
namespace {

TEST(Gradcheck, AcceptsARightGradient) {
  EXPECT_TRUE(gradcheck([](const Tensors& x) { return sin(x[0]) * x[1]; },
                        {tensor<float>({1, 2}), tensor<double>({3, 4})}, {.order = 2}));
}

TEST(Gradcheck, RefusesAWrongOne) {
  auto wrong = custom_vjp([](const Tensors& x) { return Tensors{sin(x[0])}; },
                          [](const Tensors& x, auto&, const Tensors& g) { return Tensors{g[0] * cos(x[0]) * 1.001}; });
  GradcheckResult result = gradcheck([&](const Tensors& x) { return wrong({x[0]})[0]; }, {tensor<double>({1, 2})});
  EXPECT_FALSE(result);
  EXPECT_NE(result.str().find("by differences"), std::string::npos);
}

TEST(Gradcheck, RefusesAWrongSecondOrder) {
  auto wrong =
      custom_vjp([](const Tensors& x) { return Tensors{square(x[0])}; },
                 [](const Tensors& x, auto&, const Tensors& g) { return Tensors{g[0] * 2 * stop_gradient(x[0])}; });
  auto f = [&](const Tensors& x) { return wrong({x[0]})[0]; };
  EXPECT_TRUE(gradcheck(f, {tensor<double>({1, 2})}));
  GradcheckResult second = gradcheck(f, {tensor<double>({1, 2})}, {.order = 2});
  EXPECT_FALSE(second);
  EXPECT_EQ(second.order, 2);
}

TEST(Gradcheck, LeavesIntegersAlone) {
  EXPECT_TRUE(gradcheck([](const Tensors& x) { return square(gather(x[0], x[1])); },
                        {tensor<double>({1, 2, 3}), tensor<int64_t>({2, 2, 0})}));
}

}  // namespace
}  // namespace tessera
