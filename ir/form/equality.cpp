#include <tessera/ir/form/equality.h>

#include "llvm/ADT/STLExtras.h"

#include <tessera/ir/form/free_ops.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {

using mlir::Operation;
using mlir::Value;

namespace {

// Is `value` the largest or the least of what `from` is of?
bool is_extreme_of(Value value, Value from) {
  auto reduce = base_of(value).getDefiningOp<tsr::ReduceOp>();
  return reduce && (reduce.getKind() == "max" || reduce.getKind() == "min") && base_of(reduce.getX()) == base_of(from);
}

}  // namespace

bool tests_equality(Operation* op) {
  if (op->getNumOperands() != 2 || !llvm::isa<mlir::FloatType>(tsr::element_of(op->getOperand(0)))) return false;
  Value a = op->getOperand(0), b = op->getOperand(1);
  if (llvm::isa<tsr::LessOp, tsr::LessEqualOp, tsr::GreaterOp, tsr::GreaterEqualOp>(op))
    return is_extreme_of(a, b) || is_extreme_of(b, a);
  return llvm::isa<tsr::EqualOp, tsr::NotEqualOp>(op) &&
         llvm::none_of(op->getOperands(), [](Value x) { return base_of(x).getDefiningOp<tsr::ConstantOp>(); });
}

}  // namespace tessera::ir
