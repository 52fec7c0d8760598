#include <tessera/ir/fuse/operand_sums.h>

#include <algorithm>

#include "llvm/ADT/SmallPtrSet.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

#include <tessera/ir/fuse/body_dims.h>

namespace tessera::fuse {

mlir::Value before_widening(mlir::Value value) {
  while (auto widening = value.getDefiningOp<mlir::arith::ExtFOp>()) value = widening.getIn();
  return value;
}

mlir::LogicalResult verify_operand_sums(KernelOp kernel, ContractOp contract) {
  llvm::SmallPtrSet<mlir::Value, 2> summed;
  for (ReduceOp reduce : kernel.getBody().front().getOps<ReduceOp>()) {
    const mlir::Value operand = before_widening(reduce.getValue());
    if (operand != before_widening(contract.getLhs()) && operand != before_widening(contract.getRhs()))
      return reduce.emitOpError("(C5) stands beside a contract, but sums none of its operands");
    if (reduce.getKind() != ReduceKind::sum || reduce.getType() != contract.getType() ||
        dim_bits(reduce.getOver()) != dim_bits(contract.getOver()))
      return reduce.emitOpError("(C5) is not a sum of the contract's type over its dims");
    if (!summed.insert(operand).second) return reduce.emitOpError("(C5) sums an operand for the second time");
    if (!reduce.getResult().hasOneUse() || !llvm::isa<YieldOp>(*reduce->user_begin()))
      return reduce.emitOpError("(C5) is the sum of an operand, so it may only be yielded, and once");
  }
  if (summed.empty()) return mlir::success();
  const auto values = llvm::cast<YieldOp>(kernel.getBody().front().getTerminator()).getValues();
  auto is_of_contract = [](mlir::Value value) { return !value.getDefiningOp<ReduceOp>(); };
  if (!is_of_contract(values.front()) || !std::is_partitioned(values.begin(), values.end(), is_of_contract))
    return kernel.emitOpError("(C5) yields a sum of an operand before what the contract makes");
  return mlir::success();
}

}  // namespace tessera::fuse
