#pragma once
// Attention as a user writes it, in ordinary ops: variants of what happens to scores, and programs around them.

#include <ostream>
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
// Those, and some in which queries and keys are rotated by their position: all of a row, its first quarter, or its last,
// which keys of all heads share.
const std::vector<std::string>& matrix_variants();
// Eight widths of a head. Of the four ragged lengths each has number `lengths`; those of −1 have them in turn.
constexpr int ragged_lengths = 4;
std::vector<AttentionShape> attention_shapes(int lengths = -1);

// Data is drawn in `storage` and comes in `dtype`. Scores are cast to `plane`, and weights back to `dtype`.
struct AttentionPrecision {
  std::string name;
  DType storage = f32, dtype = f32, plane = f32;
};
inline std::ostream& operator<<(std::ostream& out, const AttentionPrecision& precision) {
  return out << precision.name;
}
// f32; bf16; and mixed, which stores bf16, widens scores and narrows weights.
const std::vector<AttentionPrecision>& attention_precisions();

AttentionProgram attention_program(const std::string& variant, const AttentionShape& shape,
                                   const AttentionPrecision& precision, uint64_t seed);

}  // namespace tessera::testing
