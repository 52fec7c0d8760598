#pragma once
// By what a sum changes when a statistic in it moves.

#include "llvm/ADT/MapVector.h"

#include <tessera/ir/plane/algebra.h>

namespace tessera::ir {

// e^(natural (new − old)) · 2^(binary (new − old)) · Π (divisor(old) / divisor(new))^power
struct Factor {
  double natural = 0, binary = 0;
  llvm::SmallVector<std::pair<mlir::Value, int>, 1> divisors;
  bool operator==(const Factor&) const = default;
};
using Factors = llvm::MapVector<mlir::Operation*, Factor>;  // per statistic

// Of what pull_out_of_sum left; nothing, with algebra.obstacle set, if it is no product of known factors.
std::optional<Factors> factors_of(Algebra& algebra, mlir::Value operand);

// The fuse.repair of `accumulation`, after it.
fuse::RepairOp write_repair(mlir::Operation* accumulation, mlir::Operation* statistic, const Factor& factor);

}  // namespace tessera::ir
