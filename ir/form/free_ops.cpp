#include <tessera/ir/form/free_ops.h>

#include "llvm/ADT/SmallPtrSet.h"
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

// Does a contraction look at `value`, behind views and widenings?
bool is_contracted(Value value) {
  return llvm::any_of(value.getUsers(), [](Operation* user) {
    return llvm::isa<tsr::ContractOp>(user) ||
           ((is_view(user) || is_widening(user)) && is_contracted(user->getResult(0)));
  });
}

bool has_windows(Operation* op) {
  auto contract = llvm::dyn_cast<tsr::ContractOp>(op);
  return contract && !contract.getWindows().empty();
}

// Does `user` take the dims of `value` as they are? What reads windows does so behind a widening.
bool takes_dims(Operation* user, Value value) {
  if (is_widening(user)) return llvm::any_of(user->getUsers(), has_windows);
  return llvm::isa<tsr::PadOp, tsr::ConcatOp, tsr::FoldOp>(user) || moves_elements(user) ||
         (has_windows(user) && !is_widening(value.getDefiningOp()));
}

}  // namespace

FreeOps::FreeOps(mlir::Block& block) : FreeOps(block, [](Operation*) { return false; }) {
  for (Operation& op : block)
    if (find_out(&op)) told_[&op] = true;
  forget();
  is_settled_ = true;
}

FreeOps::FreeOps(mlir::Block& block, bool (*takes_points)(Operation*))
    : takes_points_(takes_points), has_folds_(!block.getOps<tsr::FoldOp>().empty()) {}

bool FreeOps::find_out(Operation* op) const {
  if (auto known = known_.find(op); known != known_.end()) return known->second;
  const bool free = needs_no_kernel(op) && !is_stored(op);
  return known_[op] = free;
}

bool FreeOps::needs_no_kernel(Operation* op) const {
  return is_view(op) || is_widening(op) || llvm::isa<tsr::ConstantOp, tsr::IotaOp>(op) || is_of_indices(op) ||
         (has_folds_ && goes_into_folds(op));
}

// An elementwise function of constants and iotas alone.
bool FreeOps::is_of_indices(Operation* first) const {
  if (!is_elementwise(first)) return false;
  if (auto known = of_indices_.find(first); known != of_indices_.end()) return known->second;
  llvm::SmallPtrSet<Operation*, 16> seen = {first};
  llvm::SmallVector<Operation*, 8> work = {first};
  auto is_found = [&](Value operand) {
    Operation* op = base_of(operand).getDefiningOp();
    if (!op) return false;
    if (llvm::isa<tsr::ConstantOp, tsr::IotaOp>(op)) return true;
    if (auto known = of_indices_.find(op); known != of_indices_.end()) return known->second;
    if (!is_elementwise(op)) return false;
    if (seen.insert(op).second) work.push_back(op);
    return true;
  };
  bool all = true;
  while (all && !work.empty()) {
    Operation* op = work.pop_back_val();
    all = op->getNumOperands() > 0 && llvm::all_of(op->getOperands(), is_found);
  }
  return of_indices_[first] = all;
}

// A fold reads each element once, so what makes elements for it alone need not write them.
bool FreeOps::goes_into_folds(Operation* first) const {
  int64_t elements = 0;  // of what is folded: the same of all folds
  llvm::SmallVector<Operation*, 8> makers = {first};
  llvm::SmallPtrSet<Operation*, 16> seen = {first};
  for (size_t k = 0; k < makers.size(); ++k) {
    Operation* op = makers[k];
    if (op->use_empty() || !(is_view(op) || (is_elementwise(op) && op->getNumOperands() > 0))) return false;
    for (Operation* user : op->getUsers()) {
      if (!llvm::isa<tsr::FoldOp>(user)) {
        if (seen.insert(user).second) makers.push_back(user);
        continue;
      }
      const int64_t folded = tsr::type_of(user->getOperand(0)).getNumElements();
      if (elements != 0 && elements != folded) return false;
      elements = folded;
    }
  }
  return llvm::all_of(makers, [&](Operation* op) {
    return is_view(op) || tsr::type_of(op->getResult(0)).getNumElements() == elements;
  });
}

// Does a reader want all of it in memory?
bool FreeOps::is_stored(Operation* op) const {
  const Value value = op->getResult(0);
  // A contraction reads memory; a product with a constant is rare enough to be filled in first.
  if (!is_view(op) && !is_widening(op) && is_contracted(value)) return true;
  return llvm::any_of(value.getUsers(), [&](Operation* user) {
    if (!takes_points_(user) && llvm::is_contained(whole_operands(user), value)) return true;
    if (is_opaque_reshape(user)) return true;
    // These take dims as they are: no reshape below them may split one.
    if (llvm::isa<tsr::ConcatOp>(user) && is_written_in_place(value)) return true;
    return takes_dims(user, value) && reshapes(op);
  });
}

bool FreeOps::reshapes(Operation* op) const {
  if (llvm::isa<tsr::ReshapeOp>(op)) return found_free(op->getOperand(0));
  return llvm::any_of(op->getOperands(), [&](Value x) { return found_free(x) && reshapes(x.getDefiningOp()); });
}

}  // namespace tessera::ir
