#pragma once
// One attention, written in many ways: each choice below changes how it is said, none what it says.

#include <functional>
#include <string>
#include <vector>

#include <tessera/core/ops.h>

#include "tests/support/host_data.h"

namespace tessera::testing {

// What is computed. Two programs of one family differ in spelling alone.
enum class Family { causal, bias, dropout, narrow_operands, narrow_scores, narrow_weights };
const std::vector<Family>& families();
const char* name(Family);

// How it is said: an index into the names of each choice.
struct Spelling {
  int scale = 0, mask = 0, softmax = 0, layout = 0, heads = 0, bias = 0, dropout = 0, casts = 0;
};
// One choice of a spelling.
struct Choice {
  const char* name;
  int Spelling::* field;
  std::vector<const char*> ways;
};
const std::vector<Choice>& choices();
// Whether the ways go together, and say something that the family has.
bool is_sayable(Family family, const Spelling& spelling);
std::string describe(const Spelling& spelling);  // what differs from the first way of each choice

// A spelling that the family can say, by a draw of each choice.
Spelling draw_spelling(Family family, Draw& draw);

struct SpelledAttention {
  std::vector<Tensor> arguments;
  // The output [batch, rows, heads, width] from the arguments, in whatever order and layout they have.
  std::function<Tensor(const std::vector<Tensor>&)> body;
};
// All data is drawn in `storage` and computed with in `dtype`.
SpelledAttention spelled(Family family, const Spelling& spelling, DType storage, DType dtype, uint64_t seed);

}  // namespace tessera::testing
