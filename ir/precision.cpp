#include <tessera/ir/precision.h>

#include <tessera/ir/form/free_ops.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {

using mlir::Operation;
using mlir::Value;

bool holds(mlir::Type wide, mlir::Type narrow) {
  return llvm::APFloat::isRepresentableBy(llvm::cast<mlir::FloatType>(narrow).getFloatSemantics(),
                                          llvm::cast<mlir::FloatType>(wide).getFloatSemantics());
}

Value widened_by(Operation* op) {
  auto cast = llvm::dyn_cast_or_null<tsr::CastOp>(op);
  if (!cast) return {};
  auto from = llvm::dyn_cast<mlir::FloatType>(tsr::element_of(cast.getX()));
  return from && from.getWidth() < 32 ? cast.getX() : Value();
}

bool reads_another_format(Operation* contract, mlir::FloatType narrow) {
  return llvm::any_of(contract->getOperands(), [&](Value operand) {
    for (Operation* op; (op = operand.getDefiningOp()); operand = op->getOperand(0)) {
      if (Value known = widened_by(op)) return tsr::element_of(known) != narrow;
      if (!is_view(op) && !llvm::isa<tsr::PadOp>(op)) break;
    }
    return false;
  });
}

}  // namespace tessera::ir
