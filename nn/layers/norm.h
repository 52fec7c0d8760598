#pragma once
// Normalisation. Statistics are biased variances (Σ(x − μ)² / N), as everywhere in deep learning.

#include <optional>

#include <tessera/nn/module.h>

namespace tessera::nn {

// (x − μ) / √(σ² + ε) · weight + bias over the last dim. Ba et al., "Layer Normalization", 2016.
struct LayerNorm;
struct LayerNormOptions {
  using Layer = LayerNorm;
  int64_t dim;
  double eps = 1e-5;
  bool affine = true, bias = true;
};
struct LayerNorm : Module<LayerNorm> {
  LayerNormOptions options;
  std::optional<Param> weight, bias;

  LayerNorm(ModuleBase* parent, MemberName name, LayerNormOptions);
  Tensor forward(Tensor x);
  std::string details() const override;
};

// x / √(mean(x²) + ε) · weight over the last dim. Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019.
struct RmsNorm;
struct RmsNormOptions {
  using Layer = RmsNorm;
  int64_t dim;
  double eps = 1e-6;
};
struct RmsNorm : Module<RmsNorm> {
  RmsNormOptions options;
  Param weight;

  RmsNorm(ModuleBase* parent, MemberName name, RmsNormOptions);
  Tensor forward(Tensor x);
  std::string details() const override;
};

// [N, C, spatial…]: over each of `groups` groups of channels and all positions. Wu and He, "Group Normalization", 2018.
struct GroupNorm;
struct GroupNormOptions {
  using Layer = GroupNorm;
  int64_t groups, channels;
  double eps = 1e-5;
  bool affine = true;
};
struct GroupNorm : Module<GroupNorm> {
  GroupNormOptions options;
  std::optional<Param> weight, bias;

  GroupNorm(ModuleBase* parent, MemberName name, GroupNormOptions);
  Tensor forward(Tensor x);
  std::string details() const override;
};

// [N, C, spatial…]: each channel over the batch and all positions while training, by the running statistics otherwise.
// The running variance is the unbiased one. Ioffe and Szegedy, "Batch Normalization", 2015.
struct BatchNorm;
struct BatchNormOptions {
  using Layer = BatchNorm;
  int64_t channels;
  double eps = 1e-5, momentum = 0.1;
};
struct BatchNorm : Module<BatchNorm> {
  BatchNormOptions options;
  Param weight, bias;
  Buffer running_mean, running_var, num_batches_tracked;

  BatchNorm(ModuleBase* parent, MemberName name, BatchNormOptions);
  Tensor forward(Tensor x);
  std::string details() const override;
};

}  // namespace tessera::nn
