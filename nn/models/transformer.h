#pragma once
// The pre-norm transformer block of GPT-2 and ViT: x + attn(norm1(x)), then x + mlp(norm2(x)).
// Vaswani et al., "Attention Is All You Need", 2017; Radford et al., "Language Models are Unsupervised Multitask
// Learners", 2019 (norms before the sublayers).

#include <tessera/nn/layers/attention.h>
#include <tessera/nn/layers/mlp.h>
#include <tessera/nn/layers/norm.h>

namespace tessera::nn {

struct TransformerBlockOptions {
  int64_t dim, heads;
  int64_t expansion = 4;  // hidden size of the MLP / dim
  bool causal = false;
};

struct TransformerBlock : Module<TransformerBlock> {  // [B, T, dim]
  LayerNorm norm1;
  Attention attn;
  LayerNorm norm2;
  Mlp mlp;

  explicit TransformerBlock(TransformerBlockOptions o);
  Tensor forward(Tensor x);
};

}  // namespace tessera::nn
