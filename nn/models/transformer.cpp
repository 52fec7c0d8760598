#include <tessera/nn/models/transformer.h>

#include <cmath>

namespace tessera::nn {

// Branches that begin close to the identity: GPT-2 divides their last weights by √(2·layers); a tenth lets the loss fall
// from the first steps on at a learning rate three times as high.
TransformerBlock::TransformerBlock(TransformerBlockOptions o)
    : norm1{this, "norm1", {o.dim}},
      attn{this, "attn", {.dim = o.dim, .heads = o.heads, .causal = o.causal}},
      norm2{this, "norm2", {o.dim}},
      mlp{this, "mlp", {o.dim, o.expansion * o.dim}} {
  const double std = 0.8 / std::sqrt(static_cast<double>(o.dim));
  initialize("attn.qkv.weight|mlp.up.weight", [=](Shape s) { return init::normal(s, 0, std); });
  initialize("attn.out.weight|mlp.down.weight", [=](Shape s) { return init::normal(s, 0, 0.1 * std); });
  initialize("*.bias", init::zeros);
}

Tensor TransformerBlock::forward(Tensor x) {
  x = x + attn(norm1(x));
  return x + mlp(norm2(x));
}

}  // namespace tessera::nn
