#include <tessera/nn/models/gpt.h>

#include <tessera/core/error.h>

namespace tessera::nn {

// 0.02 is GPT-2's standard deviation for embeddings: the head is tied to them, so first logits are near zero.
Gpt::Gpt(GptOptions o)
    : options(o),
      tokens{this, "tokens", {o.vocabulary, o.dim, 0.02}},
      positions{this, "positions", {o.context, o.dim, 0.02}},
      layers{this, "layers", o.layers, TransformerBlockOptions{.dim = o.dim, .heads = o.heads, .causal = true}},
      norm{this, "norm", {o.dim}} {}

Tensor Gpt::forward(Tensor ids) {
  if (ids.rank() != 2 || ids.size(1) > options.context)
    throw ShapeError({.code = "T-S120",
                      .fault = "Gpt takes [batch, tokens] with at most " + std::to_string(options.context) + " tokens",
                      .operands = {{"ids", describe(*ids.node())}}});
  Tensor x = tokens(ids) + slice(positions.weight, 0, {0, ids.size(1)});
  for (TransformerBlock& block : layers) x = block(x);
  return tokens.attend(norm(x));
}

}  // namespace tessera::nn
