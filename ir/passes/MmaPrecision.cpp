#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <tessera/ir/form/free_ops.h>
#include <tessera/ir/passes/Passes.h>
#include <tessera/ir/precision.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {

#define GEN_PASS_DEF_MMAPRECISION
#include <tessera/ir/passes/Passes.h.inc>

namespace {

using mlir::Operation;
using mlir::Value;

class Rounder {
 public:
  explicit Rounder(mlir::FloatType narrow) : narrow_(narrow) {}

  // `value`, or what it is a view of, rounded: where it is made, so that its kernel can write it so.
  Value rounded(Value value) {
    if (auto known = known_.find(value); known != known_.end()) return known->second;
    const Value made = round(value);
    known_[value] = made;
    return made;
  }

 private:
  Value round(Value value) {
    Operation* op = value.getDefiningOp();
    if (Value known = widened_by(op); known && tsr::element_of(known) == narrow_) return known;
    if (op && is_view(op)) {
      const Value operand = rounded(op->getOperand(0));
      mlir::OpBuilder b(op);
      Operation* moved = b.clone(*op);
      moved->setOperand(0, operand);
      moved->getResult(0).setType(narrowed(value));
      return moved->getResult(0);
    }
    if (auto concat = llvm::dyn_cast_or_null<tsr::ConcatOp>(op); concat && joins_what_is_computed(concat)) {
      llvm::SmallVector<Value, 4> parts;
      for (Value part : concat.getParts()) parts.push_back(rounded(part));
      mlir::OpBuilder b(op);
      return tsr::ConcatOp::create(b, op->getLoc(), narrowed(value), parts, concat.getDim());
    }
    mlir::OpBuilder b(value.getContext());
    b.setInsertionPointAfterValue(value);
    return tsr::CastOp::create(b, value.getLoc(), narrowed(value), value);
  }

  // For one reader, by kernels that can round what they write. Contractions write it there wide, and what nobody computes
  // is moved by a kernel of the concatenation's own.
  static bool joins_what_is_computed(tsr::ConcatOp concat) {
    return concat->hasOneUse() && llvm::all_of(concat.getParts(), [](Value part) {
             Operation* from = base_of(part).getDefiningOp();
             return from && !llvm::isa<tsr::ContractOp>(from);
           });
  }

  mlir::Type narrowed(Value value) const { return tsr::type_of(value).clone(narrow_); }

  mlir::FloatType narrow_;
  llvm::DenseMap<Value, Value> known_;
};

class MmaPrecisionPass : public impl::MmaPrecisionBase<MmaPrecisionPass> {
  void runOnOperation() override {
    const std::optional<MixedPrecision> precision = mixed_precision(getOperation());
    if (!precision) return;
    Rounder rounder(precision->narrow);
    for (auto contract : llvm::make_early_inc_range(getOperation().getBody().front().getOps<tsr::ContractOp>())) {
      if (!tsr::element_of(contract.getY()).isF32() || reads_another_format(contract, precision->narrow)) continue;
      for (mlir::OpOperand& operand : contract->getOpOperands()) {
        const Value narrow = rounder.rounded(operand.get());
        mlir::OpBuilder b(contract);
        auto wide = tsr::CastOp::create(b, contract.getLoc(), operand.get().getType(), narrow);
        wide->setAttr(of_policy, b.getUnitAttr());
        operand.set(wide);
      }
    }
  }
};

}  // namespace
}  // namespace tessera::ir
