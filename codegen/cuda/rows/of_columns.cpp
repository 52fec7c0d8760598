#include <tessera/codegen/cuda/rows/of_columns.h>

#include "mlir/IR/BuiltinTypes.h"

#include <tessera/codegen/cuda/rows/schedule.h>

namespace tessera::cuda {
namespace {

bool reads_input(mlir::Value value) {
  llvm::SetVector<mlir::Value> values;
  values.insert(value);
  for (size_t k = 0; k < values.size(); ++k) {
    mlir::Operation* op = values[k].getDefiningOp();
    if (!op) return true;
    values.insert(op->operand_begin(), op->operand_end());
  }
  return false;
}

}  // namespace

llvm::SetVector<mlir::Value> values_of_columns(const codegen::Form& form, const codegen::Stages& stages) {
  llvm::SetVector<mlir::Value> walked, found;
  for (const codegen::Column& column : stages.columns) walked.insert(column.reduce->getOperand(0));
  for (mlir::Value result : form.body->getTerminator()->getOperands())
    if (column_behind(stages, result) < 0) walked.insert(result);
  for (size_t k = 0; k < walked.size(); ++k) {
    const mlir::Value value = walked[k];
    const codegen::DimSet dims = stages.of(value).dims;
    if ((dims & form.inner_set()) == 0) continue;
    if ((dims & form.row_set()) == 0 && reads_input(value)) {
      found.insert(value);
      continue;
    }
    if (mlir::Operation* op = value.getDefiningOp())
      for (mlir::Value operand : op->getOperands())
        if (!mlir::isa<mlir::RankedTensorType>(operand.getType())) walked.insert(operand);
  }
  return found;
}

}  // namespace tessera::cuda
