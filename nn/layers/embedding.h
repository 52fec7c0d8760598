#pragma once
// Row lookup: ids [..] of integers, weight [count, dim], result [.., dim]. An id out of range makes the run throw.

#include <tessera/nn/module.h>

namespace tessera::nn {

struct Embedding;
struct EmbeddingOptions {
  using Layer = Embedding;
  int64_t count, dim;
  double std = 1;  // of the first weights
};

struct Embedding : Module<Embedding> {
  EmbeddingOptions options;
  Param weight;

  Embedding(ModuleBase* parent, MemberName name, EmbeddingOptions);
  Tensor forward(Tensor ids);
  // Scores of every row, x [.., dim] · weightᵀ: the tied output head of a language model.
  Tensor attend(Input x);
  std::string details() const override;
};

}  // namespace tessera::nn
