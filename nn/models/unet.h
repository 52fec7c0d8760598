#pragma once
// The denoiser of a diffusion model: a U-Net of residual blocks that are told the time, with attention at the coarsest
// level. Ho et al., "Denoising Diffusion Probabilistic Models", 2020; Ronneberger et al., "U-Net", 2015.

#include <vector>

#include <tessera/nn/containers.h>
#include <tessera/nn/layers/conv.h>
#include <tessera/nn/layers/linear.h>
#include <tessera/nn/layers/norm.h>

namespace tessera::nn {

// x [N, in, H, W], time embedding [N, E] → [N, out, H, W].
struct ResidualBlock : Module<ResidualBlock> {
  GroupNorm norm1;
  Conv2d conv1;
  Linear time;
  GroupNorm norm2;
  Conv2d conv2;
  std::optional<Conv2d> skip;  // where the number of channels changes

  ResidualBlock(int64_t in, int64_t out, int64_t embedding, int64_t groups);
  Tensor forward(Tensor x, Tensor embedding);
};

// One head of attention over the pixels, projections as 1×1 convolutions.
struct PixelAttention : Module<PixelAttention> {
  GroupNorm norm;
  Conv2d qkv, out;

  PixelAttention(int64_t channels, int64_t groups);
  Tensor forward(Tensor x);
};

struct UnetOptions {
  int64_t channels = 1;
  std::vector<int64_t> widths = {32, 64, 128};  // one per level; each further level halves the resolution
  int64_t blocks = 2;                           // residual blocks per level on the way down; one more on the way up
  int64_t time_features = 64, embedding = 128, groups = 8;
};

struct Unet : Module<Unet> {
  UnetOptions options;
  Linear time1, time2;
  Conv2d input;
  List<ResidualBlock> down;
  List<Conv2d> downsample;
  Sub<ResidualBlock> middle1;
  Sub<PixelAttention> attention;
  Sub<ResidualBlock> middle2;
  List<ResidualBlock> up;
  List<Conv2d> upsample;
  GroupNorm norm;
  Conv2d output;

  explicit Unet(UnetOptions o = {});
  Tensor forward(Tensor x, Tensor t);  // images [N, C, H, W] and times [N] in [0, 1] → the predicted noise
};

}  // namespace tessera::nn
