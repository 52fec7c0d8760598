#pragma once
// A decoder-only language model with a tied output head: GPT-2's architecture over any vocabulary.
// Radford et al., "Language Models are Unsupervised Multitask Learners", 2019.

#include <tessera/nn/containers.h>
#include <tessera/nn/layers/embedding.h>
#include <tessera/nn/models/transformer.h>

namespace tessera::nn {

struct GptOptions {
  int64_t vocabulary = 256, context = 256, dim = 256, layers = 6, heads = 8;
};

struct Gpt : Module<Gpt> {
  GptOptions options;
  Embedding tokens, positions;
  List<TransformerBlock> layers;
  LayerNorm norm;

  explicit Gpt(GptOptions o = {});
  Tensor forward(Tensor ids);  // [B, T] integers, T ≤ context → logits [B, T, vocabulary]
};

}  // namespace tessera::nn
