#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <tessera/ir/form/free_ops.h>
#include <tessera/ir/passes/Passes.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {

#define GEN_PASS_DEF_SPLITREDUCE
#include <tessera/ir/passes/Passes.h.inc>

namespace {

using mlir::Operation;
using mlir::Value;

int64_t elements(Value x) { return tsr::type_of(x).getNumElements(); }

// Does a broadcast repeat `value`, or what follows from it element by element?
bool is_spread(Value value) {
  for (Operation* user : value.getUsers()) {
    if (user->getNumResults() != 1 || !(is_view(user) || is_elementwise(user))) continue;
    if (elements(user->getResult(0)) > elements(value) || is_spread(user->getResult(0))) return true;
  }
  return false;
}

class SplitReducePass : public impl::SplitReduceBase<SplitReducePass> {
  void runOnOperation() override {
    if (getOperation()->hasAttr("tsr.strict")) return;
    for (Operation& op : llvm::make_early_inc_range(getOperation().getBody().front()))
      if (auto reduce = llvm::dyn_cast<tsr::ReduceOp>(op)) split(reduce);
  }

  static void split(tsr::ReduceOp reduce) {
    llvm::ArrayRef<int64_t> shape = tsr::shape_of(reduce.getX());
    int64_t first = static_cast<int64_t>(shape.size());  // of the trailing dims that all go
    while (first > 0 && llvm::is_contained(reduce.getDims(), first - 1)) --first;
    llvm::SmallVector<int64_t, 4> leading, trailing;
    int64_t lead = 1, trail = 1;
    for (int64_t d : reduce.getDims()) {
      (d < first ? leading : trailing).push_back(d);
      (d < first ? lead : trail) *= shape[static_cast<size_t>(d)];
    }
    if (first == 0 || lead == 1 || trail == 1 || is_spread(reduce.getY())) return;
    mlir::OpBuilder b(reduce);
    mlir::Type rows = tsr::type_of(reduce.getY()).clone(shape.take_front(static_cast<size_t>(first)));
    Value partial = tsr::ReduceOp::create(b, reduce.getLoc(), rows, reduce.getKindAttr(), reduce.getX(),
                                          b.getDenseI64ArrayAttr(trailing));
    Value whole = tsr::ReduceOp::create(b, reduce.getLoc(), reduce.getY().getType(), reduce.getKindAttr(), partial,
                                        b.getDenseI64ArrayAttr(leading));
    reduce.getY().replaceAllUsesWith(whole);
    reduce.erase();
  }
};

}  // namespace
}  // namespace tessera::ir
