#pragma once
// A sum of differences is a difference of sums: where a term waits for a statistic, and the other does not wait for the
// same, each can be accumulated by itself.
//
//   Σ p (y − d) v = (Σ p y v) − d (Σ p v)      d = Σ p y: the gradient of a softmax in one sweep

#include <optional>

#include <tessera/ir/plane/algebra.h>

namespace tessera::ir {

// operand = a + b, or a − b.
struct Parts {
  mlir::Value a, b;
  bool is_difference = false;
};

// Of what is summed: the outermost sum or difference in it that waits, behind factors that do not. Not from behind a cast
// that rounds what is left of the two: each is larger than that.
std::optional<Parts> part_sum(Algebra& algebra, mlir::Value operand);

}  // namespace tessera::ir
