#pragma once
// Attention as a user writes it, in ordinary ops: variants of what happens to scores, and programs around them.

#include <string>
#include <vector>

#include <tessera/core/ops.h>

#include "tests/support/host_data.h"

namespace tessera::testing {

struct AttentionShape {
  int64_t batch = 2, heads = 3, rows = 64, columns = 64, width = 32;
};

// One program: the output, and the gradient of Σ output · weights to all that is learned.
struct AttentionProgram {
  Tensor out;
  std::vector<Tensor> gradients;
};

// Names of the variants: none, causal, window, alibi, softcap, table, scale, pair, sigmoid, sinks, documents, prefix.
const std::vector<std::string>& attention_variants();
// All data is drawn in `storage` and computed with in `dtype`.
AttentionProgram attention_program(const std::string& variant, const AttentionShape& shape, DType storage, DType dtype,
                                   uint64_t seed);

}  // namespace tessera::testing
