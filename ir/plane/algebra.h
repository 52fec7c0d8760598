#pragma once
// What the steps of a repair share: a place to write ops, facts, and the first thing that stood in the way.

#include <optional>
#include <string>

#include <tessera/ir/plane/facts.h>

namespace tessera::ir {

struct Obstacle {
  mlir::Operation* statistic;
  std::string why;
};

class Algebra {
 public:
  // New ops stand before `before`.
  Algebra(mlir::Operation* before, BodyFacts& of) : b(before), at(before->getLoc()), facts(of) {}

  // Remembers why `culprit`, which waits for a statistic, cannot be taken apart. Null, as the caller's result.
  mlir::Value fail(mlir::Value culprit, const std::string& why);
  mlir::Value fail_mixed(mlir::Value culprit);  // … because its op is none that the algebra knows

  mlir::Value number(mlir::Type type, double x);
  // `x` in a wider type.
  mlir::Value widened(mlir::Value x, mlir::Type type);

  mlir::OpBuilder b;
  mlir::Location at;
  BodyFacts& facts;
  std::optional<Obstacle> obstacle;
};

// factor · value, the value being of the row
struct RowTerm {
  double factor = 1;
  mlir::Value value;
};

// streamed + Σ row: a value by what the stream moves, and what it does not. `streamed` waits for nothing, and is null
// for a value of the row.
struct SplitSum {
  mlir::Value streamed;
  llvm::SmallVector<RowTerm, 2> row;
};
// Sees through sums, differences, scales and `c ? x : ∓∞`.
std::optional<SplitSum> split_sum(Algebra& algebra, mlir::Value value);
mlir::Value sum_of(Algebra& algebra, llvm::ArrayRef<RowTerm> terms, mlir::Type type);

}  // namespace tessera::ir
