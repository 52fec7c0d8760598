#include <tessera/ir/form/free_ops.h>

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <tessera/ir/form/atoms.h>
#include <tessera/ir/fuse/Fuse.h>
#include <tessera/ir/precision.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {

using mlir::Operation;
using mlir::Value;

bool moves_elements(Operation* op) { return llvm::isa<tsr::SliceOp, tsr::ReverseOp, tsr::WindowOp>(op); }

bool moves_dim(Operation* op, size_t dim) {
  if (auto slice = llvm::dyn_cast<tsr::SliceOp>(op))
    return slice.getStep()[dim] != 1 || tsr::shape_of(slice.getX())[dim] != tsr::shape_of(slice.getY())[dim];
  const int64_t d = static_cast<int64_t>(dim);
  if (auto reverse = llvm::dyn_cast<tsr::ReverseOp>(op)) return llvm::is_contained(reverse.getDims(), d);
  return llvm::is_contained(llvm::cast<tsr::WindowOp>(op).getDims(), d);
}

bool is_view(Operation* op) {
  return llvm::isa<tsr::BroadcastOp, tsr::ReshapeOp, tsr::TransposeOp, tsr::StopGradientOp>(op) || moves_elements(op);
}

bool is_opaque_reshape(Operation* op) {
  auto reshape = llvm::dyn_cast<tsr::ReshapeOp>(op);
  if (!reshape) return false;
  Atoms atoms;
  AtomList from, to;
  for (const AtomList& dim : atoms.fresh(tsr::shape_of(reshape.getX()))) from.append(dim);
  for (const AtomList& dim : atoms.fresh(tsr::shape_of(reshape.getY()))) to.append(dim);
  return !atoms.unify(from, to);
}

bool is_elementwise(Operation* op) { return llvm::isa<tsr::ScalarBody>(op); }

bool has_equal_parts(Operation* op) {
  auto concat = llvm::dyn_cast<tsr::ConcatOp>(op);
  return concat && llvm::all_equal(llvm::map_range(concat.getParts(), [](Value part) { return part.getType(); }));
}

bool stands_alone(Operation* op) {
  return llvm::isa<fuse::CascadeOp, tsr::BarrierOp, tsr::PadOp, tsr::ConcatOp, tsr::FoldOp, tsr::ScatterOp,
                   tsr::DynamicUpdateSliceOp, tsr::ArgSortOp, tsr::ArgMaxOp, tsr::ArgMinOp, tsr::ScanOp>(op);
}

bool is_widening(Operation* op) { return llvm::isa<tsr::CastOp>(op) && op->hasAttr(of_policy); }

Value base_of(Value value) {
  while (Operation* op = value.getDefiningOp()) {
    if (!is_view(op) && !is_widening(op)) break;
    value = op->getOperand(0);
  }
  return value;
}

namespace {

// Operands that a kernel addresses as whole tensors, or that a library routine is handed.
llvm::SmallVector<Value, 2> whole_operands(Operation* op) {
  if (llvm::isa<tsr::GatherOp, tsr::DynamicSliceOp, tsr::BarrierOp>(op)) return {op->getOperand(0)};
  if (llvm::isa<fuse::CascadeOp, tsr::ScatterOp, tsr::DynamicUpdateSliceOp, tsr::ArgSortOp, tsr::ArgMaxOp,
                tsr::ArgMinOp, tsr::ScanOp, mlir::func::ReturnOp>(op))
    return llvm::to_vector<2>(op->getOperands());
  return {};
}

// A view of a result that only a concatenation reads: its kernel can write it there.
bool is_written_in_place(Value part) {
  Operation* view = part.getDefiningOp();
  Operation* from = base_of(part).getDefiningOp();
  if (!view || view == from || !from || !part.hasOneUse()) return false;
  for (Value x = part; x.getDefiningOp() != from; x = x.getDefiningOp()->getOperand(0))
    if (moves_elements(x.getDefiningOp()) || !x.getDefiningOp()->getOperand(0).hasOneUse()) return false;
  return !stands_alone(from);
}

}  // namespace

FreeOps::FreeOps(mlir::Block& block) : FreeOps(block, [](Operation*) { return false; }) {}

FreeOps::FreeOps(mlir::Block& block, bool (*takes_points)(Operation*)) {
  for (Operation& op : block) {
    const bool of_free_alone = is_elementwise(&op) && op.getNumOperands() > 0 &&
                               llvm::all_of(op.getOperands(), [&](Value x) { return is_free(base_of(x)); });
    if (is_view(&op) || is_widening(&op) || llvm::isa<tsr::ConstantOp, tsr::IotaOp>(op) || of_free_alone)
      free_.insert(&op);
  }
  free_points_of_folds(block);
  for (Operation& op : block) {
    if (!takes_points(&op))
      for (Value whole : whole_operands(&op)) store(whole);
    // A contraction reads memory; a product with a constant is rare enough to be filled in first.
    if (llvm::isa<tsr::ContractOp>(op))
      for (Value operand : op.getOperands()) store(base_of(operand));
    if (is_opaque_reshape(&op)) store(op.getOperand(0));
    // These take dims as they are: no reshape below them may split one.
    auto contract = llvm::dyn_cast<tsr::ContractOp>(op);
    if (llvm::isa<tsr::PadOp, tsr::ConcatOp, tsr::FoldOp>(op) || moves_elements(&op) ||
        (contract && !contract.getWindows().empty()))
      for (Value operand : op.getOperands()) {
        if (Operation* from = operand.getDefiningOp(); contract && from && is_widening(from))
          operand = from->getOperand(0);
        if (reshapes_free_value(operand) || (llvm::isa<tsr::ConcatOp>(op) && is_written_in_place(operand)))
          store(operand);
      }
  }
}

// A fold reads each element once, so what makes elements for it alone need not write them.
void FreeOps::free_points_of_folds(mlir::Block& block) {
  llvm::DenseMap<Operation*, int64_t> elements_of_fold;  // of what only a fold reads
  for (Operation& op : llvm::reverse(block)) {
    if (op.use_empty() || !(is_view(&op) || (is_elementwise(&op) && op.getNumOperands() > 0))) continue;
    int64_t elements = 0;
    for (Operation* user : op.getUsers()) {
      const int64_t of_user = llvm::isa<tsr::FoldOp>(user) ? tsr::type_of(user->getOperand(0)).getNumElements()
                                                           : elements_of_fold.lookup(user);
      const bool is_alike = of_user != 0 && (elements == 0 || elements == of_user);
      elements = is_alike ? of_user : -1;
    }
    if (elements < 0 || (!is_view(&op) && tsr::type_of(op.getResult(0)).getNumElements() != elements)) continue;
    elements_of_fold[&op] = elements;
    free_.insert(&op);
  }
}

bool FreeOps::reshapes_free_value(Value value) const {
  Operation* op = value.getDefiningOp();
  if (!is_free(op)) return false;
  if (llvm::isa<tsr::ReshapeOp>(op)) return is_free(op->getOperand(0));
  return llvm::any_of(op->getOperands(), [&](Value x) { return reshapes_free_value(x); });
}

void FreeOps::store(Value value) {
  if (Operation* op = value.getDefiningOp()) free_.erase(op);
}

}  // namespace tessera::ir
