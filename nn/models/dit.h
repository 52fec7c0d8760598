#pragma once
// Diffusion Transformer: pictures (or latents of an autoencoder) as patches, and blocks that the time and the class shift,
// scale and gate. Peebles and Xie, "Scalable Diffusion Models with Transformers", 2022; with learned positions, norms that
// keep scales and shifts of their own, and a last norm that nothing modulates.

#include <tessera/nn/containers.h>
#include <tessera/nn/layers/attention.h>
#include <tessera/nn/layers/conv.h>
#include <tessera/nn/layers/embedding.h>
#include <tessera/nn/layers/mlp.h>
#include <tessera/nn/layers/norm.h>

namespace tessera::nn {

struct DitOptions {
  int64_t image = 32, channels = 4, patch = 2, dim = 384, layers = 12, heads = 6;
  int64_t classes = 1000;  // and one more: no class at all
  int64_t time_features = 256;
};

// x + gate · f(norm(x) · (1 + scale) + shift) for attention and for the MLP; the six vectors come from the condition and
// begin as zeros, so that a block begins as the identity.
struct DitBlock : Module<DitBlock> {
  Linear modulation;
  LayerNorm norm1;
  Attention attn;
  LayerNorm norm2;
  Mlp mlp;

  DitBlock(int64_t dim, int64_t heads);
  Tensor forward(Tensor x, Tensor condition);  // x [B, T, dim], condition [B, dim]
};

struct Dit : Module<Dit> {
  DitOptions options;
  Conv2d patches;
  Param positions;
  Linear time1, time2;
  Embedding labels;
  List<DitBlock> layers;
  LayerNorm norm;
  Linear head;

  explicit Dit(DitOptions o = {});
  // Pictures [B, C, H, W], times [B] in [0, 1] and classes [B] → what is predicted of each pixel, [B, C, H, W].
  Tensor forward(Tensor x, Tensor t, Tensor label);
};

}  // namespace tessera::nn
