#include <tessera/ir/plane/part_sum.h>

#include "llvm/ADT/STLExtras.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

namespace tessera::ir {

namespace arith = mlir::arith;
using mlir::Operation;
using mlir::Value;

namespace {

// The operand of `op` that the way goes on through; none where more than that waits, or where `op` is not linear in it.
std::optional<unsigned> way_through(BodyFacts& facts, Operation* op) {
  auto waits = [&](unsigned i) { return !facts.waits(op->getOperand(i)).empty(); };
  if (llvm::isa<arith::NegFOp, arith::ExtFOp>(op)) return 0;
  if (llvm::isa<arith::DivFOp>(op) && !waits(1)) return 0;
  if (llvm::isa<arith::MulFOp>(op) && waits(0) != waits(1)) return waits(0) ? 0 : 1;
  if (llvm::isa<arith::SelectOp>(op) && !waits(0))
    for (unsigned i : {1U, 2U})
      if (real_constant(op->getOperand(3 - i)) == 0.0) return i;
  return std::nullopt;
}

}  // namespace

std::optional<Parts> part_sum(Algebra& algebra, Value operand) {
  llvm::SmallVector<std::pair<Operation*, unsigned>, 8> way;  // outermost first
  Operation* op = operand.getDefiningOp();
  while (op && !llvm::isa<arith::AddFOp, arith::SubFOp>(op)) {
    const std::optional<unsigned> next = way_through(algebra.facts, op);
    if (!next) return std::nullopt;
    way.emplace_back(op, *next);
    op = op->getOperand(*next).getDefiningOp();
  }
  if (!op) return std::nullopt;
  auto rebuilt = [&](Value term) {
    for (auto [step, i] : llvm::reverse(way)) {
      Operation* copy = algebra.b.clone(*step);
      copy->setOperand(i, term);
      term = copy->getResult(0);
    }
    return term;
  };
  return Parts{rebuilt(op->getOperand(0)), rebuilt(op->getOperand(1)), llvm::isa<arith::SubFOp>(op)};
}

}  // namespace tessera::ir
