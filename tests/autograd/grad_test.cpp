// The walk: what it accumulates, where it goes and where it does not, and how small a backward it leaves.

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tessera/autograd/gradcheck.h>
#include <tessera/core/compile.h>
#include <tessera/core/state.h>

namespace tessera {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::Pointwise;
using ::testing::UnorderedElementsAre;

Tensor data(Shape shape, double scale = 1) {
  std::vector<double> out;
  for (int64_t i = 0; i < shape.numel(); ++i) out.push_back(scale * static_cast<double>((i * 37) % 11 - 5));
  return tensor(out, shape);
}
std::vector<double> values(const Tensor& t) { return t.to_vector<double>(); }

// Names of the ops of `result` down to `leaves`.
std::vector<std::string> ops_above(const Tensor& result, const Tensors& leaves) {
  std::vector<std::string> out;
  std::unordered_set<const Node*> seen;
  for (const Tensor& t : leaves) seen.insert(t.node().get());
  std::vector<NodePtr> todo{result.node()};
  while (!todo.empty()) {
    NodePtr node = todo.back();
    todo.pop_back();
    if (!seen.insert(node.get()).second) continue;
    out.emplace_back(name(node->op));
    todo.insert(todo.end(), node->inputs.begin(), node->inputs.end());
  }
  return out;
}

TEST(Grad, AddsUpAllUses) {
  Tensor x = tensor<double>({2, 3});
  EXPECT_THAT(values(grad(sum(x * x * x + x), x)), ElementsAre(13, 28));
}

TEST(Grad, OfUnusedIsZero) {
  Tensor x = tensor<float>({2, 3}), unused = zeros({4, 1}, f64);
  Tensors g = grad(sum(x), {x, unused});
  EXPECT_THAT(values(g[1]), ElementsAre(0, 0, 0, 0));
  EXPECT_EQ(g[1].dtype(), f64);
  EXPECT_EQ(g[1].shape(), unused.shape());
}

TEST(Grad, OfTheLossIsOne) {
  Tensor loss = sum(tensor<float>({2, 3}));
  EXPECT_THAT(values(grad(loss, loss)), ElementsAre(1));
}

TEST(Grad, OfAnIntermediateAndOfWhatIsBelowIt) {
  Tensor x = tensor<double>({2, 3}), y = x * x;
  Tensors g = grad(sum(y * y), {y, x, y});
  EXPECT_THAT(values(g[0]), ElementsAre(8, 18));
  EXPECT_THAT(values(g[1]), ElementsAre(32, 108));
  EXPECT_THAT(values(g[2]), ElementsAre(8, 18));
}

TEST(Grad, StopsWhereTold) {
  Tensor x = tensor<double>({2, 3});
  EXPECT_THAT(values(grad(sum(stop_gradient(x) * x), x)), ElementsAre(2, 3));
  EXPECT_THAT(values(grad(sum(stop_gradient(x)), x)), ElementsAre(0, 0));
  EXPECT_THAT(values(grad(sum(floor(x) * 2), x)), ElementsAre(0, 0));
  Tensor whole = floor(x);
  EXPECT_THAT(values(grad(sum(whole * 2), {whole, x})[0]), ElementsAre(2, 2));
}

TEST(Grad, PassesThroughABarrier) {
  EXPECT_TRUE(
      gradcheck([](const Tensors& x) { return square(barrier(x[0])); }, {tensor<double>({2, 3})}, {.order = 2}));
}

TEST(Grad, OfAGradient) {
  Tensor x = tensor<double>({2, 3});
  Tensor first = grad(sum(x * x * x), x);
  EXPECT_THAT(values(grad(sum(first), x)), ElementsAre(12, 18));
}

TEST(Grad, TakesAVectorJacobianProduct) {
  Tensor x = tensor<double>({2, 3}), y = x * x, z = exp(x);
  Tensors g = vjp({y, 3 * x}, {tensor<double>({1, 10}), tensor<double>({1, 1})}, {x, z});
  EXPECT_THAT(values(g[0]), ElementsAre(7, 63));
  EXPECT_THAT(values(g[1]), ElementsAre(0, 0));
}

TEST(Grad, CastsToTheDtypeOfTheNode) {
  Tensor x = tensor<float>({2, 3});
  Tensors g = vjp({x * 2}, {tensor<double>({1, 1})}, {x});
  EXPECT_EQ(g[0].dtype(), f32);
}

TEST(Grad, OfTiedWeightsIsTheSumOfBoth) {
  Tensor w = tensor(std::vector<double>{1, -2, 0.5, 3}, {2, 2}), x = tensor(std::vector<double>{0.3, 1.1}, {1, 2});
  auto loss = [](const Tensors& in) { return tanh(matmul(tanh(matmul(in[1], in[0])), transpose(in[0]))); };
  EXPECT_TRUE(gradcheck(loss, {w, x}, {.order = 2}));
  Tensor twin = tensor(w.to_vector<double>(), {2, 2});
  Tensor tied = grad(sum(loss({w, x})), w);
  Tensors parts = grad(sum(tanh(matmul(tanh(matmul(x, w)), transpose(twin)))), {w, twin});
  EXPECT_THAT(values(tied), ::testing::Pointwise(::testing::DoubleNear(1e-12), values(parts[0] + parts[1])));
}

TEST(Grad, OfATinyMlpAgreesWithDifferences) {
  auto loss = [](const Tensors& in) {
    Tensor hidden = tanh(matmul(in[0], in[1]) + in[2]);
    Tensor logits = matmul(hidden, in[3]) + in[4];
    Tensor picked = sum(log_softmax(logits, -1) * in[5], {-1});
    return -mean(picked) + 0.01 * sum(square(in[1]));
  };
  Tensors inputs{data({4, 3}, 0.3),  data({3, 5}, 0.2), data({5}, 0.1),
                 data({5, 2}, 0.25), data({2}, 0.4),    data({4, 2}, 0.5)};
  GradcheckResult result = gradcheck(loss, inputs, {.order = 2});
  EXPECT_TRUE(result) << result.str();
}

TEST(Grad, OfABiasIsASumAlone) {
  Tensor x = data({4, 3}), b = data({3}), g = data({4, 3});
  Tensors gradients = vjp({x + b}, {g}, {x, b});
  EXPECT_EQ(gradients[0].node(), g.node());
  EXPECT_THAT(ops_above(gradients[1], {g}), ElementsAre("reduce"));
}

TEST(Grad, MultipliesByNoOnes) {
  Tensor x = data({4, 3}), y = data({4, 3});
  EXPECT_EQ(grad(sum(x * y), x).node(), y.node());
}

// Numbers of ours may be folded and left out; a constant that somebody holds is a value like any other.
TEST(Grad, OfAConstantThatIsStretched) {
  Tensor x = tensor<double>({1, 2, 3}), w = scalar(2.0, f64), one = ones({1}, f64);
  EXPECT_THAT(values(grad(sum(x * w), w)), ElementsAre(6));
  EXPECT_THAT(values(grad(sum(x * one), one)), ElementsAre(6));
  Tensor read = scalar(2.0, f64).eval();
  EXPECT_THAT(values(grad(sum(x * read), read)), ElementsAre(6));
  Tensor bias = zeros({3}, f64);
  EXPECT_THAT(values(grad(sum(data({2, 3}) + bias), bias)), ElementsAre(2, 2, 2));
  State state("b", zeros({1}, f64));
  EXPECT_THAT(values(grad(sum(x + state), std::vector<State*>{&state})[0]), ElementsAre(3));
}

TEST(Grad, KeepsAFactorOneThatSomebodyHolds) {
  Tensor x = tensor<double>({1, 2, 3}), u = ones({3}, f64);
  Tensor g = vjp({x * x}, {u}, {x})[0];
  EXPECT_THAT(values(vjp({g}, {ones({3}, f64)}, {u})[0]), ElementsAre(2, 4, 6));
  Tensor total = ones({}, f64);
  g = vjp({sum(x * x)}, {total}, {x})[0];
  EXPECT_THAT(values(grad(sum(g), total)), ElementsAre(12));
  // The gradient of x · c is c, which was all ones; that of the gradient is not 0.
  Tensor c = ones({3}, f64);
  g = grad(sum(x * c * exp(x)), x);
  const std::vector<double> wanted{2 * std::exp(1.), 3 * std::exp(2.), 4 * std::exp(3.)};
  EXPECT_THAT(values(grad(sum(g), c)), Pointwise(DoubleNear(1e-12), wanted));
  // What a walk began with is a tensor like any other, once it was handed out.
  Tensor seed = grad(sum(x), x);
  g = vjp({x * x}, {seed}, {x})[0];
  EXPECT_THAT(values(grad(sum(g), seed)), ElementsAre(2, 4, 6));
}

TEST(Grad, OfAProductOfMatricesIsTwoContractions) {
  Tensor x = data({4, 3}), w = data({3, 5}), g = data({4, 5});
  Tensors gradients = vjp({matmul(x, w)}, {g}, {x, w});
  for (const Tensor& t : gradients) EXPECT_THAT(ops_above(t, {x, w, g}), ElementsAre("contract"));
}

TEST(Grad, OfTheExampleInTheReadme) {
  Tensor x = data({4}), w = data({4}), t = tanh(x * w);
  EXPECT_THAT(ops_above(grad(sum(t), w), {t, x}), UnorderedElementsAre("constant", "mul", "sub", "mul"));
}

TEST(Grad, RecordsNothingForPathsThatLeadNowhere) {
  Tensor x = data({4, 3}), w = data({3, 5}), g = data({4, 5});
  Tensor y = matmul(tanh(x), w);
  Tensor only_w = vjp({y}, {g}, {w})[0];
  EXPECT_THAT(ops_above(only_w, {x, g}), UnorderedElementsAre("contract", "tanh"));
}

TEST(Grad, WalksADeepGraphWithoutRecursion) {
  Tensor x = tensor<double>({1.0}), y = x;
  for (int i = 0; i < 200'000; ++i) y = -y;
  EXPECT_TRUE(grad(sum(y), x).valid());
}

TEST(Grad, IsLinearInAGraphOfSharedValues) {
  Tensor x = tensor<double>({1.0}), y = x;
  for (int i = 0; i < 60; ++i) y = 0.5 * (y + y);  // 2^60 paths
  EXPECT_THAT(values(grad(sum(y), x)), ElementsAre(1));
}

TEST(Grad, ShowsTheLineAndModuleOfTheForwardOp) {
  Tensor x = tensor<double>({1.0});
  Tensor y;
  uint32_t line = 0;
  {
    ScopeGuard module("mlp", Loc::here());
    y = exp(x);
    line = __LINE__ - 1;
  }
  Tensor g = grad(sum(y * y), x);
  EXPECT_EQ(user_location(g.node()->at, g.node()->scope).line, line);
  EXPECT_EQ(g.node()->scope->path(), "mlp.grad");
  EXPECT_EQ(current_scope(), nullptr);
}

TEST(Grad, WithRespectToStates) {
  State w("w", tensor<float>({2, 3})), frozen("frozen", tensor<float>({5, 5}));
  Tensor loss = sum(square(w.value()) * frozen.value());
  EXPECT_THAT(values(grad(loss, {&w})[0]), ElementsAre(20, 30));
}

TEST(Grad, InsideACompiledStep) {
  State w("w", tensor<float>({2, 3}));
  auto step = compile([&](Tensor x) {
    Tensor loss = sum(square(w.value() - x));
    w.assign(w.value() - 0.25 * grad(loss, {&w})[0]);
    return loss;
  });
  EXPECT_FLOAT_EQ(step(tensor<float>({0, 0})).item<float>(), 13);
  EXPECT_THAT(values(w.value()), ElementsAre(1, 1.5));
  EXPECT_FLOAT_EQ(step(tensor<float>({0, 0})).item<float>(), 3.25);
  EXPECT_THAT(values(w.value()), ElementsAre(0.5, 0.75));
}

}  // namespace
}  // namespace tessera
