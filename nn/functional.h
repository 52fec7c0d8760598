#pragma once
// Activations and attention as functions of tensors. Activations live in `tessera`, beside exp and sigmoid, so that
// gelu(up(x)) finds them anywhere; nn::gelu is the same function.

#include <tessera/core/ops.h>

namespace tessera {

Tensor relu(Operand);  // max(x, 0); the gradient at 0 is 0
Tensor leaky_relu(Operand, double slope = 0.01);
Tensor elu(Operand, double alpha = 1);  // x > 0 ? x : α(eˣ − 1)
Tensor softplus(Operand);               // log(1 + eˣ), without overflow
Tensor silu(Operand);                   // x · σ(x)
Tensor gelu(Operand);                   // ½x(1 + tanh(√(2/π)(x + 0.044715 x³))), as GPT-2
Tensor gelu_exact(Operand);             // ½x(1 + erf(x / √2)), as BERT and ViT
Tensor quick_gelu(Operand);             // x · σ(1.702 x), as CLIP

namespace nn {

using tessera::elu;
using tessera::gelu;
using tessera::gelu_exact;
using tessera::leaky_relu;
using tessera::quick_gelu;
using tessera::relu;
using tessera::silu;
using tessera::softplus;

// x·Wᵀ over the last dim: x [.., in], weight [out, in].
Tensor linear(Operand x, Operand weight);

// The options of attention(); every field may be left out.
struct AttentionOptions {
  double scale = 0;     // 0: 1 / √D
  bool causal = false;  // query i sees keys up to i + (S − T): the last query sees all
  Tensor mask = {};     // bool, broadcasts to [B, H, T, S]: true may be seen. Float: added to the scores
  double dropout = 0;   // of the weights, while training
};
// softmax(q·kᵀ·scale + mask)·v for q [B, T, H, D], k and v [B, S, K, D] where K divides H (grouped queries): [B, T, H, D].
// Ordinary math: the compiler turns it into one kernel, and any other score function that a user writes the same way.
Tensor attention(Operand q, Operand k, Operand v, const AttentionOptions& = {});

// Zeroes each element with probability p and scales the others by 1 / (1 − p), while training; else x itself.
Tensor dropout(Operand x, double p);

// [N, C, H, W] (and any other number of spatial dims): each spatial dim is repeated `scale` times.
Tensor upsample_nearest(Operand x, int64_t scale);

}  // namespace nn
}  // namespace tessera
