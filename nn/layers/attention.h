#pragma once
// Self-attention over x [B, T, dim] with packed projections: one product gives q, k and v, in this order of rows, each
// head by head. With kv_heads < heads several query heads share a key head (grouped queries).

#include <tessera/nn/functional.h>
#include <tessera/nn/layers/linear.h>

namespace tessera::nn {

struct Attention;
struct SelfAttentionOptions {
  using Layer = Attention;
  int64_t dim, heads;
  int64_t kv_heads = 0;  // 0: as many as heads
  bool causal = false, bias = true;
  double dropout = 0;  // of the weights, while training
};

struct Attention : Module<Attention> {
  SelfAttentionOptions options;
  Linear qkv, out;

  Attention(ModuleBase* parent, MemberName name, SelfAttentionOptions);
  Tensor forward(Tensor x, Tensor mask = {});  // mask as AttentionOptions says
  std::string details() const override;
};

}  // namespace tessera::nn
