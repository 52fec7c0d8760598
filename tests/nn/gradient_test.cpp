// Every layer, activation and loss: the gradient of its input in f64, and of its parameters in f32.

#include <gtest/gtest.h>

#include <tessera/autograd/gradcheck.h>
#include <tessera/nn/nn.h>

#include "tests/nn/near.h"

namespace tessera::nn {
namespace {

using tessera::testing::ramp;

// Values without pattern, away from the kinks at 0.
Tensor varied(Shape shape, double shift = 0) {
  std::vector<float> data(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < data.size(); ++i) {
    double v = std::sin(12.9898 * static_cast<double>(i + 1) + shift);
    data[i] = static_cast<float>(v + (v < 0 ? -0.1 : 0.1));
  }
  return tensor(data, shape);
}

// ⟨∂f/∂p, d⟩ of each parameter against the difference of two values of f.
template <class F> void check_parameters(const ModuleBase& module, F f) {
  const std::vector<State*> parameters = module.parameters();
  std::vector<Tensor> grads = grad(f(), parameters);
  for (size_t i = 0; i < parameters.size(); ++i) {
    State& p = *parameters[i];
    const Tensor origin = p.value(), direction = varied(p.shape(), static_cast<double>(i) + 1);
    const double h = 1e-2;
    auto at = [&](double step) {
      p.assign(origin + direction * step);
      return f().template item<double>();
    };
    const double numeric = (at(h) - at(-h)) / (2 * h);
    p.assign(origin);
    const double analytic = sum(grads[i] * direction).template item<double>();
    EXPECT_NEAR(analytic, numeric, 2e-3 * (1 + std::fabs(numeric))) << p.name();
  }
}

template <class M> void check(M&& module, Tensor x) {
  SCOPED_TRACE(module.type() + " " + module.details());
  GradcheckResult result = gradcheck([&](const Tensors& in) { return module(in[0]); }, {x});
  EXPECT_TRUE(result) << result.str();
  Tensor cotangent = varied(module(x).shape(), 0.5);
  check_parameters(module, [&] { return sum(module(x) * cotangent); });
}

TEST(Gradient, OfLayers) {
  Tensor rows = varied({2, 3, 4}), picture = varied({2, 4, 5, 6});
  check(Linear{nullptr, "fc", {4, 3}}, rows);
  check(LayerNorm{nullptr, "norm", {4}}, rows);
  check(RmsNorm{nullptr, "norm", {4}}, rows);
  check(GroupNorm{nullptr, "norm", {2, 4}}, picture);
  check(BatchNorm{nullptr, "norm", {4}}, picture);
  check(Conv1d{nullptr, "conv", {.in = 3, .out = 2, .kernel = 2, .pad = 1}}, rows);
  check(Conv2d{nullptr, "conv", {.in = 4, .out = 3, .kernel = 3, .stride = 2, .pad = 1}}, picture);
  check(Conv2d{nullptr, "conv", {.in = 4, .out = 6, .kernel = 2, .dilation = 2, .groups = 2}}, picture);
  check(ConvTranspose2d{nullptr, "conv", {.in = 4, .out = 3, .kernel = 3, .stride = 2, .output_pad = 1}}, picture);
  check(ConvTranspose2d{nullptr, "conv", {.in = 4, .out = 2, .kernel = 2, .groups = 2}}, picture);
  check(Attention{nullptr, "attn", {.dim = 4, .heads = 2, .causal = true}}, rows);
  check(Attention{nullptr, "attn", {.dim = 4, .heads = 2, .kv_heads = 1}}, rows);
  check(Mlp{nullptr, "mlp", {4, 6}}, rows);
  check(SwiGlu{nullptr, "mlp", {4, 6}}, rows);
}

TEST(Gradient, OfBatchStatistics) {
  BatchNorm norm{nullptr, "norm", {4}};
  GradcheckResult result = gradcheck(
      [&](const Tensors& in) {  // the statistics are f32 States: their update takes the values alone
        Training on;
        Tensor x = in[0];
        return (x - mean(x, {0, 2}, true)) * rsqrt(variance(x, {0, 2}, true) + 1e-5);
      },
      {varied({3, 4, 2})});
  EXPECT_TRUE(result) << result.str();
  Training on;
  Tensor x = varied({3, 4, 2}), cotangent = varied({3, 4, 2}, 0.5);
  check_parameters(norm, [&] { return sum(norm(x) * cotangent); });
}

TEST(Gradient, OfEmbedding) {
  Embedding embed{nullptr, "embed", {5, 3}};
  Tensor ids = tensor<int32_t>({1, 4, 1, 0}), cotangent = varied({4, 5}, 0.5);
  check_parameters(embed, [&] { return sum(embed.attend(embed(ids)) * cotangent) * 0.1; });
}

TEST(Gradient, OfActivations) {
  for (auto f : {relu, silu, gelu, gelu_exact, quick_gelu, softplus}) {
    GradcheckResult result = gradcheck([&](const Tensors& in) { return f(in[0]); }, {varied({20})});
    EXPECT_TRUE(result) << result.str();
  }
  EXPECT_TRUE(gradcheck([](const Tensors& in) { return leaky_relu(in[0], 0.2); }, {varied({20})}));
  EXPECT_TRUE(gradcheck([](const Tensors& in) { return elu(in[0]); }, {varied({20})}));
  Tensor zero = tensor<float>({0});
  EXPECT_EQ(grad(sum(relu(zero)), zero).item<float>(), 0);
}

TEST(Gradient, OfPoolingAndUpsampling) {
  Tensor picture = varied({1, 2, 4, 6});
  EXPECT_TRUE(gradcheck([](const Tensors& in) { return max_pool2d(in[0], {.size = 2}); }, {picture}));
  EXPECT_TRUE(
      gradcheck([](const Tensors& in) { return max_pool2d(in[0], {.size = 3, .stride = 1, .pad = 1}); }, {picture}));
  EXPECT_TRUE(gradcheck([](const Tensors& in) { return avg_pool2d(in[0], {.size = 2}); }, {picture}));
  EXPECT_TRUE(gradcheck([](const Tensors& in) { return upsample_nearest(in[0], 2); }, {picture}));
}

TEST(Gradient, OfLosses) {
  Tensor logits = varied({3, 4}), targets = tensor<int32_t>({2, 0, 3}), other = varied({3, 4}, 0.7);
  EXPECT_TRUE(gradcheck([&](const Tensors& in) { return cross_entropy(in[0], targets); }, {logits}));
  EXPECT_TRUE(gradcheck(
      [&](const Tensors& in) { return cross_entropy(in[0], targets, {.ignore_index = 0, .label_smoothing = 0.1}); },
      {logits}));
  EXPECT_TRUE(gradcheck([](const Tensors& in) { return mse(in[0], in[1]); }, {logits, other}));
  EXPECT_TRUE(gradcheck([](const Tensors& in) { return l1(in[0], in[1]); }, {logits, other}));
  EXPECT_TRUE(gradcheck([](const Tensors& in) { return huber(in[0], in[1], 0.5); }, {logits, other}));
  EXPECT_TRUE(gradcheck([](const Tensors& in) { return bce_with_logits(in[0], sigmoid(in[1])); }, {logits, other}));
  EXPECT_TRUE(
      gradcheck([](const Tensors& in) { return kl(log_softmax(in[0], -1), log_softmax(in[1], -1)); }, {logits, other}));
}

}  // namespace
}  // namespace tessera::nn
