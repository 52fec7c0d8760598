#pragma once
// What an accumulated value holds of the row alone leaves the accumulation.

#include <tessera/ir/plane/algebra.h>

namespace tessera::ir {

// One thing to do to what was accumulated. `by` is of the row and waits for statistics.
struct Step {
  enum class Kind { times, over, plus, increasing };
  Kind kind;
  mlir::Value by;                 // times, over, plus
  mlir::Operation* op = nullptr;  // increasing: a function of one value, as this op
};

// Accumulating `operand` and then taking `after` in order is accumulating what was asked for.
struct PulledOut {
  mlir::Value operand;
  llvm::SmallVector<Step, 2> after;
  bool flips = false;  // the largest is now the smallest
};

// Of a sum or a contraction over the dims `over`. What still waits for a statistic afterwards is exp(c (x − M)), M the
// largest x, and x / N, N the largest |x|, N ≠ 0: neither exceeds what it weighs.
std::optional<PulledOut> pull_out_of_sum(Algebra& algebra, mlir::Value operand, mlir::DenseI64ArrayAttr over);
// Of a maximum or minimum. Nothing waits afterwards.
std::optional<PulledOut> pull_out_of_order(Algebra& algebra, mlir::Value operand);

mlir::Value apply(Algebra& algebra, llvm::ArrayRef<Step> steps, mlir::Value accumulated);

}  // namespace tessera::ir
