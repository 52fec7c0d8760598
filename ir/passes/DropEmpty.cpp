#include <limits>

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <tessera/ir/passes/Passes.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {

#define GEN_PASS_DEF_DROPEMPTY
#include <tessera/ir/passes/Passes.h.inc>

namespace {

using mlir::Operation;
using mlir::Value;

bool is_empty(Value tensor) { return tsr::type_of(tensor).getNumElements() == 0; }

constexpr double infinity = std::numeric_limits<double>::infinity();

// What an op is of which every contribution is missing. An empty maximum does not get here but for float lanes.
double of_nothing(Operation* op) {
  if (auto reduce = llvm::dyn_cast<tsr::ReduceOp>(op)) {
    if (reduce.getKind() == "prod") return 1;
    if (reduce.getKind() == "max") return -infinity;
    if (reduce.getKind() == "min") return infinity;
  }
  if (llvm::isa<tsr::LogSumExpOp>(op)) return -infinity;
  if (llvm::isa<tsr::VarianceOp>(op)) return std::numeric_limits<double>::quiet_NaN();
  if (auto pad = llvm::dyn_cast<tsr::PadOp>(op)) return pad.getValue().convertToDouble();
  return 0;
}

class DropEmptyPass : public impl::DropEmptyBase<DropEmptyPass> {
  void runOnOperation() override {
    for (Operation& op : llvm::make_early_inc_range(getOperation().getBody().front().without_terminator())) {
      if (op.getNumResults() != 1 || llvm::isa<tsr::ConstantOp>(op)) continue;
      const bool empty = is_empty(op.getResult(0));
      if (!empty && llvm::none_of(op.getOperands(), is_empty)) continue;
      mlir::OpBuilder b(&op);
      op.getResult(0).replaceAllUsesWith(empty ? constant(b, op, 0) : replacement(b, op));
      op.erase();
    }
  }

  static Value constant(mlir::OpBuilder& b, Operation& op, double value) {
    return tsr::ConstantOp::create(b, op.getLoc(), op.getResult(0).getType(), b.getF64FloatAttr(value));
  }

  // The result has elements, some operand has none.
  static Value replacement(mlir::OpBuilder& b, Operation& op) {
    if (llvm::isa<tsr::ScatterOp, tsr::DynamicUpdateSliceOp>(op)) return op.getOperand(0);
    if (auto concat = llvm::dyn_cast<tsr::ConcatOp>(op)) {
      llvm::SmallVector<Value, 4> parts;
      for (Value part : concat.getParts())
        if (!is_empty(part)) parts.push_back(part);
      return parts.size() == 1
                 ? parts[0]
                 : tsr::ConcatOp::create(b, op.getLoc(), op.getResult(0).getType(), parts, concat.getDimAttr())
                       .getResult();
    }
    return constant(b, op, of_nothing(&op));
  }
};

}  // namespace
}  // namespace tessera::ir
