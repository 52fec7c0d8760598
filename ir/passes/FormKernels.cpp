#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <tessera/ir/form/alone.h>
#include <tessera/ir/form/body.h>
#include <tessera/ir/form/cascade_parts.h>
#include <tessera/ir/form/partition.h>
#include <tessera/ir/passes/Passes.h>
#include <tessera/ir/remarks.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {

#define GEN_PASS_DEF_FORMKERNELS
#include <tessera/ir/passes/Passes.h.inc>

namespace {

void erase_dead(mlir::Block& block) {
  for (mlir::Operation& op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (mlir::isOpTriviallyDead(&op)) op.erase();
}

class FormKernelsPass : public impl::FormKernelsBase<FormKernelsPass> {
  using FormKernelsBase::FormKernelsBase;

  void runOnOperation() override {
    mlir::Block& block = getOperation().getBody().front();
    erase_dead(block);
    FreeOps free(block);
    const Partitioned parts = partition(block, free, fuse);
    for (const Apart& apart : parts.apart) report(apart);

    mlir::OpBuilder b(block.getTerminator());
    mlir::IRMapping memory;
    for (mlir::BlockArgument argument : block.getArguments()) memory.map(argument, argument);
    Begun begun;
    for (const Group& group : parts.groups) lower(b, group, free, memory, begun);

    mlir::Operation* terminator = block.getTerminator();
    for (mlir::OpOperand& operand : terminator->getOpOperands()) operand.set(memory.lookup(operand.get()));
    erase_dead(block);
  }

  static void report(const Apart& apart) {
    auto remark = mlir::remark::missed(apart.consumer->getLoc(),
                                       mlir::remark::RemarkOpts::name("separate-kernels").category("fusion"));
    if (!remark) return;
    remark << mlir::remark::add("{0} does not join {1}", apart.consumer->getName().getStringRef().str(),
                                apart.producer->getName().getStringRef().str())
           << mlir::remark::reason("{0}", apart.reason) << because_of(apart.producer);
  }

  static void place_in(tsr::ConcatOp concat, Root& root, const KernelWriter& kernel, mlir::OpBuilder& b, Begun& begun) {
    root.type = tsr::type_of(concat.getY());
    mlir::Value& whole = begun[concat];
    if (!whole) whole = mlir::tensor::EmptyOp::create(b, concat.getLoc(), root.type, mlir::ValueRange());
    root.init = whole;
    Coordinates at = root.at;
    Coordinate& moved = at[static_cast<size_t>(concat.getDim())];
    moved = {moved.index + start_of_part(concat, root.value)};
    root.offset = kernel.offset(at, root.type.getShape());
  }

  static void lower(mlir::OpBuilder& b, const Group& group, const FreeOps& free, mlir::IRMapping& memory,
                    Begun& begun) {
    mlir::Operation* last = group.ops.back();
    mlir::Value result = last->getResult(0);
    if (tsr::type_of(result).getNumElements() == 0) {  // tsr-drop-empty left only constants
      memory.map(result, mlir::tensor::EmptyOp::create(b, last->getLoc(), result.getType(), mlir::ValueRange()));
      return;
    }
    if (auto cascade = llvm::dyn_cast<fuse::CascadeOp>(last)) {
      lower_cascade(b, cascade, memory, begun);
      return;
    }
    if (auto concat = llvm::dyn_cast<tsr::ConcatOp>(last); concat && is_written_as_part(concat)) return;
    if (stands_alone(last)) {
      memory.map(result, lower_alone(b, last, free, memory, begun));
      return;
    }
    KernelWriter kernel(b, free, memory, group.space);
    llvm::SmallVector<Root, 4> roots;
    llvm::SmallVector<tsr::ConcatOp, 4> in_place;  // per root: the concatenation that it is a part of
    for (mlir::Value output : group.space.outputs) {
      Coordinates at = kernel.at(group.space.places.find(output)->second);
      mlir::RankedTensorType type = tsr::type_of(output);
      Root root{output, at, type, kernel.offset(at, type.getShape())};
      tsr::ConcatOp concat = sole_concat(output);
      if (concat && llvm::is_contained(in_place, concat)) concat = {};  // one part of it per kernel
      if (concat) place_in(concat, root, kernel, b, begun);
      in_place.push_back(concat);
      roots.push_back(std::move(root));
    }
    fuse::KernelOp written = kernel.write(group.ops, roots);
    for (auto [concat, output, tensor] : llvm::zip(in_place, group.space.outputs, written.getResults())) {
      if (concat) begun[concat] = tensor;
      else memory.map(output, tensor);
    }
    if (group.ops.size() > 1)
      mlir::remark::passed(written.getLoc(), mlir::remark::RemarkOpts::name("kernel").category("fusion"))
          << mlir::remark::add("{0} joins {1} ops", written.getName().str(), group.ops.size());
  }
};

}  // namespace
}  // namespace tessera::ir
