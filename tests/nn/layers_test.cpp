#include <cmath>
#include <numeric>

#include <gmock/gmock.h>

#include <tessera/autograd/grad.h>
#include <tessera/core/error.h>
#include <tessera/core/random.h>
#include <tessera/nn/nn.h>

#include "tests/nn/near.h"

namespace tessera::nn {
namespace {

using tessera::testing::expect_near;
using tessera::testing::ramp;

TEST(Linear, IsXTimesTransposedWeightPlusBias) {
  Linear fc{nullptr, "fc", {3, 2}};
  fc.weight.assign(tensor<float>({1, 2, 3, 4, 5, 6}, {2, 3}));
  fc.bias->assign(tensor<float>({10, 20}));
  expect_near(fc(tensor<float>({1, 0, -1})), {10 - 2, 20 - 2});
  Tensor y = fc(ramp({2, 4, 3}));
  EXPECT_EQ(y.shape(), Shape({2, 4, 2}));
  EXPECT_NEAR(y.to_vector<float>()[2], 10 + 3 * 1 + 4 * 2 + 5 * 3, 1e-4);
  EXPECT_THROW(fc(ramp({2, 4})), ShapeError);
  EXPECT_THROW(fc(scalar(1.0)), ShapeError);
  EXPECT_FALSE((Linear{nullptr, "fc", {3, 2, false}}.bias));
}

TEST(Embedding, LooksUpRowsAndAttends) {
  Embedding embed{nullptr, "embed", {4, 2}};
  embed.weight.assign(ramp({4, 2}));
  expect_near(embed(tensor<int32_t>({3, 0})), {6, 7, 0, 1});
  expect_near(embed.attend(tensor<float>({1, 10})), {10, 32, 54, 76});
  Tensor bad = embed(tensor<int32_t>({4}));
  EXPECT_THROW(bad.eval(), ValueError);
}

TEST(LayerNorm, NormalisesTheLastDim) {
  LayerNorm norm{nullptr, "norm", {4, 0.0}};
  const double s = std::sqrt(1.25);
  expect_near(norm(ramp({1, 4})), {-1.5 / s, -0.5 / s, 0.5 / s, 1.5 / s});
  norm.weight->assign(tensor<float>({1, 2, 3, 4}));
  norm.bias->assign(tensor<float>({0, 0, 0, 1}));
  expect_near(norm(ramp({1, 4})), {-1.5 / s, -1 / s, 1.5 / s, 6 / s + 1});
  EXPECT_EQ((LayerNorm{nullptr, "norm", {.dim = 4, .affine = false}}.parameter_count()), 0);
  EXPECT_EQ((LayerNorm{nullptr, "norm", {.dim = 4, .bias = false}}.parameter_count()), 4);
}

TEST(RmsNorm, DividesByTheRootMeanSquare) {
  RmsNorm norm{nullptr, "norm", {2, 0.0}};
  expect_near(norm(tensor<float>({3, 4})), {3 / std::sqrt(12.5), 4 / std::sqrt(12.5)});
}

TEST(GroupNorm, NormalisesEachGroup) {
  GroupNorm norm{nullptr, "norm", {.groups = 2, .channels = 4, .eps = 0}};
  norm.weight->assign(tensor<float>({1, 1, 1, 2}));
  norm.bias->assign(tensor<float>({0, 0, 5, 0}));
  // Groups of eight consecutive values: mean 3.5, variance (64 − 1) / 12.
  Tensor y = norm(ramp({1, 4, 2, 2}));
  const double s = std::sqrt(63.0 / 12);
  std::vector<double> expected;
  for (int c = 0; c < 4; ++c)
    for (int i = 0; i < 4; ++i) {
      double z = ((c % 2) * 4 + i - 3.5) / s;
      expected.push_back(c == 3 ? 2 * z : c == 2 ? z + 5 : z);
    }
  expect_near(y, expected);
  EXPECT_EQ(norm(ramp({2, 4, 3})).shape(), Shape({2, 4, 3}));
  EXPECT_THROW((GroupNorm{nullptr, "norm", {3, 4}}), ValueError);
  EXPECT_THROW(norm(ramp({1, 3, 2, 2})), ShapeError);
}

TEST(BatchNorm, UsesTheBatchWhileTrainingAndItsHistoryOtherwise) {
  BatchNorm norm{nullptr, "norm", {.channels = 1, .eps = 0, .momentum = 0.1}};
  Tensor x = tensor<float>({1, 2, 3, 4}, {4, 1});
  expect_near(norm(x), {1, 2, 3, 4});
  {
    Training on;
    const double s = std::sqrt(1.25);
    expect_near(norm(x), {-1.5 / s, -0.5 / s, 0.5 / s, 1.5 / s});
    EXPECT_THROW(norm(tensor<float>({1}, {1, 1})), ValueError);
  }
  expect_near(norm.running_mean, {0.25});
  expect_near(norm.running_var, {0.9 + 0.1 * 5.0 / 3});  // the unbiased variance
  EXPECT_EQ(norm.num_batches_tracked.value().item<int64_t>(), 1);
  expect_near(norm(tensor<float>({0.25f}, {1, 1})), {0});
}

TEST(BatchNorm, FollowsWhatIsNoF32) {
  for (DType dtype : {f64, bf16, f16}) {
    BatchNorm norm{nullptr, "norm", {.channels = 1, .eps = 0, .momentum = 0.5}};
    Training on;
    EXPECT_EQ(norm(cast(tensor<float>({1, 2, 3, 4}, {4, 1}), dtype)).dtype(), promote(dtype, f32));
    expect_near(norm.running_mean, {1.25});
  }
}

// Squares and sums of these leave f16, and their means need more than the 8 bits of bf16. Parameters are f32, so that only
// what has none comes back narrow.
TEST(Norms, OfNarrowFloatsAreRoundedOnceOrNotAtAll) {
  Training on;
  LayerNorm plain{nullptr, "norm", {.dim = 1024, .affine = false}}, layer{nullptr, "norm", {1024}};
  RmsNorm rms{nullptr, "norm", {1024}};
  GroupNorm plain_groups{nullptr, "norm", {.groups = 2, .channels = 16, .affine = false}};
  GroupNorm groups{nullptr, "norm", {.groups = 2, .channels = 16}};
  BatchNorm batch{nullptr, "norm", {16}};
  for (ModuleBase* norm : std::initializer_list<ModuleBase*>{&layer, &rms, &groups, &batch})
    norm->initialize("weight", [](Shape s) { return init::constant(s, 0.7); });
  for (ModuleBase* norm : std::initializer_list<ModuleBase*>{&layer, &groups, &batch})
    norm->initialize("bias", [](Shape s) { return init::constant(s, 0.1); });

  const Tensor x = ramp({1, 1024}, 100, 0.01);
  for (DType dtype : {f16, bf16}) {
    const Tensor narrow = cast(x, dtype), wide = cast(narrow, f32);
    auto expect_as_wide = [](auto& norm, const Tensor& of, const Tensor& as, DType result) {
      const Tensor y = norm(of);
      EXPECT_EQ(y.dtype(), result);
      EXPECT_EQ(y.template to_vector<double>(), cast(norm(as), result).template to_vector<double>()) << norm.type();
    };
    const Tensor image = reshape(narrow, {1, 16, 64}), wide_image = reshape(wide, {1, 16, 64});
    expect_as_wide(plain, narrow, wide, dtype);
    expect_as_wide(layer, narrow, wide, f32);
    expect_as_wide(rms, narrow, wide, f32);
    expect_as_wide(plain_groups, image, wide_image, dtype);
    expect_as_wide(groups, image, wide_image, f32);
    expect_as_wide(batch, image, wide_image, f32);
  }
}

TEST(Elu, HasTheSlopeOfItsLeftSideAtZero) {
  Tensor x = tensor<float>({-1, 0, 1});
  expect_near(grad(sum(elu(x, 0.5)), x), {0.5 * std::exp(-1.0), 0.5, 1});
}

TEST(Conv2d, MatchesAConvolutionByHand) {
  Conv2d conv{nullptr, "conv", {.in = 1, .out = 1, .kernel = 3, .pad = 1}};
  conv.weight.assign(ramp({1, 1, 3, 3}, 1));
  conv.bias->assign(tensor<float>({100}));
  // The centre sees all nine pixels: Σ (i + 1)·i for i = 0…8 is 240. The corner sees pixels 0, 1, 3, 4 by taps 5, 6, 8, 9.
  std::vector<float> y = conv(ramp({1, 1, 3, 3})).to_vector<float>();
  EXPECT_NEAR(y[4], 340, 1e-3);
  EXPECT_NEAR(y[0], 100 + 0 * 5 + 1 * 6 + 3 * 8 + 4 * 9, 1e-3);
}

// Plain loops, PyTorch's definition.
std::vector<double> convolve(const std::vector<float>& x, const Shape& xs, const std::vector<float>& w, const Shape& ws,
                             const Conv2dOptions& o, const Shape& ys) {
  std::vector<double> y;
  const int64_t in = o.in / o.groups, out = o.out / o.groups;
  for (int64_t n = 0; n < ys[0]; ++n)
    for (int64_t k = 0; k < ys[1]; ++k)
      for (int64_t p = 0; p < ys[2]; ++p)
        for (int64_t q = 0; q < ys[3]; ++q) {
          double sum = 0;
          for (int64_t c = 0; c < in; ++c)
            for (int64_t r = 0; r < ws[2]; ++r)
              for (int64_t s = 0; s < ws[3]; ++s) {
                int64_t h = p * o.stride.h + r * o.dilation.h - o.pad.h,
                        v = q * o.stride.w + s * o.dilation.w - o.pad.w;
                if (h < 0 || v < 0 || h >= xs[2] || v >= xs[3]) continue;
                int64_t channel = k / out * in + c;
                sum += static_cast<double>(x[static_cast<size_t>(((n * xs[1] + channel) * xs[2] + h) * xs[3] + v)]) *
                       w[static_cast<size_t>(((k * in + c) * ws[2] + r) * ws[3] + s)];
              }
          y.push_back(sum);
        }
  return y;
}

TEST(Conv2d, StridePadDilationAndGroupsMatchPlainLoops) {
  for (Conv2dOptions o :
       {Conv2dOptions{.in = 2, .out = 3, .kernel = 3, .stride = 2, .pad = 1, .bias = false},
        Conv2dOptions{.in = 2, .out = 2, .kernel = {1, 3}, .pad = {0, 2}, .dilation = 2, .bias = false},
        Conv2dOptions{.in = 4, .out = 6, .kernel = 2, .stride = {1, 2}, .groups = 2, .bias = false},
        Conv2dOptions{.in = 3, .out = 3, .kernel = 3, .pad = 1, .groups = 3, .bias = false}}) {
    Conv2d conv{nullptr, "conv", o};
    SCOPED_TRACE(conv.details());
    Tensor x = ramp({2, o.in, 7, 6}, -1, 0.01);
    Tensor y = conv(x), w = conv.weight;
    expect_near(y, convolve(x.to_vector<float>(), x.shape(), w.to_vector<float>(), w.shape(), o, y.shape()));
  }
}

TEST(Conv2d, RefusesWhatItWasNotBuiltFor) {
  Conv2d conv{nullptr, "conv", {.in = 2, .out = 3, .kernel = 5}};
  EXPECT_THROW(conv(ramp({1, 3, 8, 8})), ShapeError);
  EXPECT_THROW(conv(ramp({2, 8, 8})), ShapeError);
  EXPECT_THROW(conv(ramp({1, 2, 4, 8})), ShapeError);
  EXPECT_THROW((Conv2d{nullptr, "conv", {.in = 3, .out = 4, .kernel = 1, .groups = 2}}), ValueError);
  EXPECT_THROW((Conv2d{nullptr, "conv", {.in = 3, .out = 4, .kernel = 1, .groups = 0}}), ValueError);
}

TEST(Conv1d, SlidesAlongTheLastDim) {
  Conv1d conv{nullptr, "conv", {.in = 1, .out = 1, .kernel = 2, .stride = 2, .bias = false}};
  conv.weight.assign(tensor<float>({1, 10}, {1, 1, 2}));
  expect_near(conv(ramp({1, 1, 5})), {10, 32});
}

// ⟨conv(x), y⟩ = ⟨x, convᵀ(y)⟩ defines the transposed convolution.
TEST(ConvTranspose2d, IsTheAdjointOfConv2d) {
  for (int64_t groups : {1, 2}) {
    Conv2d conv{
        nullptr, "conv", {.in = 4, .out = 6, .kernel = 3, .stride = 2, .pad = 1, .groups = groups, .bias = false}};
    ConvTranspose2d adjoint{
        nullptr,
        "adjoint",
        {.in = 6, .out = 4, .kernel = 3, .stride = 2, .pad = 1, .output_pad = 1, .groups = groups, .bias = false}};
    ASSERT_EQ(conv.weight.shape(), adjoint.weight.shape());
    adjoint.weight.assign(conv.weight);
    Tensor x = ramp({2, 4, 6, 6}, -1, 0.01), y = ramp({2, 6, 3, 3}, 2, -0.03);
    Tensor up = adjoint(y);
    ASSERT_EQ(up.shape(), x.shape());
    expect_near(sum(conv(x) * y), {sum(x * up).item<double>()}, 1e-4);
  }
}

TEST(Attention, MatchesPlainLoops) {
  const int64_t b = 2, t = 3, s = 4, h = 4, k = 2, d = 2;
  Tensor q = ramp({b, t, h, d}, -1, 0.05), key = ramp({b, s, k, d}, 1, -0.07), v = ramp({b, s, k, d}, 0, 0.1);
  for (bool causal : {false, true}) {
    std::vector<float> qs = q.to_vector<float>(), ks = key.to_vector<float>(), vs = v.to_vector<float>();
    std::vector<double> expected;
    for (int64_t n = 0; n < b; ++n)
      for (int64_t i = 0; i < t; ++i)
        for (int64_t head = 0; head < h; ++head) {
          std::vector<double> weight;
          auto at = [&](const std::vector<float>& data, int64_t j, int64_t e) {
            return static_cast<double>(data[static_cast<size_t>(((n * s + j) * k + head / (h / k)) * d + e)]);
          };
          for (int64_t j = 0; j < s; ++j) {
            double dot = 0;
            for (int64_t e = 0; e < d; ++e)
              dot += static_cast<double>(qs[static_cast<size_t>(((n * t + i) * h + head) * d + e)]) * at(ks, j, e);
            weight.push_back(causal && j > i + s - t ? 0 : std::exp(dot / std::sqrt(2.0)));
          }
          double total = std::accumulate(weight.begin(), weight.end(), 0.0);
          for (int64_t e = 0; e < d; ++e) {
            double out = 0;
            for (int64_t j = 0; j < s; ++j) out += weight[static_cast<size_t>(j)] / total * at(vs, j, e);
            expected.push_back(out);
          }
        }
    expect_near(attention(q, key, v, {.causal = causal}), expected);
  }
}

TEST(Attention, MasksByBoolOrByAddition) {
  Tensor q = ramp({1, 2, 2, 3}, 0, 0.1), k = ramp({1, 2, 2, 3}, 1, -0.1), v = ramp({1, 2, 2, 3});
  Tensor seen = cast(tensor<int32_t>({1, 0, 1, 1}, {2, 2}), boolean);
  expect_near(attention(q, k, v, {.mask = seen}), attention(q, k, v, {.causal = true}).to_vector<double>());
  Tensor added = where(seen, 0.0, -1e9);
  expect_near(attention(q, k, v, {.mask = added}), attention(q, k, v, {.causal = true}).to_vector<double>());
  // Grouped heads: the mask may speak of each head.
  Tensor shared = slice(k, 2, {0, 1});
  Tensor per_head = broadcast_to(seen, {1, 2, 2, 2});
  expect_near(attention(q, shared, shared, {.mask = per_head}),
              attention(q, shared, shared, {.causal = true}).to_vector<double>());
  EXPECT_THROW(attention(q, k, slice(v, 1, {0, 1})), ShapeError);
}

TEST(Attention, LayerSplitsPackedHeads) {
  Attention attn{nullptr, "attn", {.dim = 8, .heads = 4, .kv_heads = 2, .causal = true}};
  EXPECT_EQ(attn.qkv.weight.shape(), Shape({8 + 2 * 4, 8}));
  Tensor x = ramp({2, 5, 8}, -1, 0.02), y = attn(x);
  EXPECT_EQ(y.shape(), x.shape());
  // Causal: what comes later does not change what came before.
  Tensor changed = attn(set(x, {{}, {3, 5}}, 7));
  expect_near(slice(y, 1, {0, 3}), slice(changed, 1, {0, 3}).to_vector<double>());
  EXPECT_THROW((Attention{nullptr, "attn", {.dim = 8, .heads = 3}}), ValueError);
  EXPECT_THROW((Attention{nullptr, "attn", {.dim = 8, .heads = 0}}), ValueError);
}

TEST(Mlp, AndSwiGluKeepTheShape) {
  EXPECT_EQ((Mlp{nullptr, "mlp", {4, 16}}(ramp({2, 4})).shape()), Shape({2, 4}));
  EXPECT_EQ((SwiGlu{nullptr, "mlp", {4, 16}}(ramp({2, 4})).shape()), Shape({2, 4}));
}

TEST(Dropout, ScalesWhatIsLeftWhileTraining) {
  Tensor x = ones({1000});
  EXPECT_EQ(dropout(x, 0.5).to_vector<float>(), x.to_vector<float>());
  Training on;
  std::vector<float> y = dropout(x, 0.25).to_vector<float>();
  double kept = static_cast<double>(std::ranges::count_if(y, [](float v) { return std::fabs(v - 4.f / 3) < 1e-6f; }));
  EXPECT_EQ(std::ranges::count(y, 0.f) + static_cast<int64_t>(kept), 1000);
  EXPECT_NEAR(kept / 1000, 0.75, 0.05);
  EXPECT_THROW(dropout(x, 1), ValueError);
}

TEST(Pooling, TakesTheLargestOrTheMean) {
  Tensor x = ramp({1, 1, 4, 4});
  expect_near(max_pool2d(x, {.size = 2}), {5, 7, 13, 15});
  expect_near(avg_pool2d(x, {.size = 2}), {2.5, 4.5, 10.5, 12.5});
  expect_near(max_pool2d(x, {.size = 3, .stride = 2, .pad = 1}), {5, 7, 13, 15});
  EXPECT_EQ(avg_pool2d(x, {.size = {4, 1}}).shape(), Shape({1, 1, 1, 4}));
  EXPECT_THROW(max_pool2d(ramp({4, 4}), {.size = 2}), ShapeError);
}

TEST(Upsample, RepeatsNeighbours) {
  expect_near(upsample_nearest(ramp({1, 1, 2, 2}), 2), {0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3});
  EXPECT_EQ(upsample_nearest(ramp({1, 2, 3}), 3).shape(), Shape({1, 2, 9}));
}

TEST(Activations, HaveTheirFormulas) {
  const std::vector<double> xs{-3, -0.5, 0, 0.5, 3};
  auto each = [&](auto f) {
    std::vector<double> out;
    for (double x : xs) out.push_back(f(x));
    return out;
  };
  auto sigma = [](double x) { return 1 / (1 + std::exp(-x)); };
  Tensor x = tensor<float>({-3, -0.5, 0, 0.5, 3});
  expect_near(relu(x), each([](double v) { return std::max(v, 0.0); }));
  expect_near(leaky_relu(x, 0.1), each([](double v) { return v > 0 ? v : 0.1 * v; }));
  expect_near(elu(x), each([](double v) { return v > 0 ? v : std::expm1(v); }));
  expect_near(softplus(x), each([](double v) { return std::log1p(std::exp(v)); }));
  expect_near(silu(x), each([&](double v) { return v * sigma(v); }));
  expect_near(quick_gelu(x), each([&](double v) { return v * sigma(1.702 * v); }));
  expect_near(gelu_exact(x), each([](double v) { return v * std::erfc(-v / std::sqrt(2.0)) / 2; }));
  expect_near(gelu(x),
              each([](double v) { return v / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v))); }));
  expect_near(softplus(tensor<float>({500, -500})), {500, 0});
}

}  // namespace
}  // namespace tessera::nn
