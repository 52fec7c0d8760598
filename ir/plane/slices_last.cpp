#include <tessera/ir/plane/slices_last.h>

#include <functional>
#include <numeric>

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"

namespace tessera::ir {

using mlir::Operation;
using mlir::Value;

namespace {

constexpr size_t most_seen = 256;  // ops in front of a contraction

void find_reshapes(const Plane& plane, Value value, llvm::SetVector<Operation*>& seen) {
  Operation* op = value.getDefiningOp();
  if (!op || plane.lists->is_member(op) || seen.size() > most_seen) return;
  if (!is_view(op) && !is_elementwise(op) && !llvm::isa<tsr::ConcatOp>(op)) return;
  if (seen.insert(op))
    for (Value operand : op->getOperands()) find_reshapes(plane, operand, seen);
}

// The one dim that a slice cuts, in steps of one.
std::optional<size_t> sole_cut(tsr::SliceOp slice) {
  std::optional<size_t> found;
  for (size_t d = 0; d < slice.getStart().size(); ++d) {
    if (!moves_dim(slice, d)) continue;
    if (found || slice.getStep()[d] != 1) return {};
    found = d;
  }
  return found;
}

int64_t product(llvm::ArrayRef<int64_t> shape) {
  return std::reduce(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

bool reorder(tsr::ReshapeOp reshape) {
  auto slice = reshape.getX().getDefiningOp<tsr::SliceOp>();
  const std::optional<size_t> dim = slice ? sole_cut(slice) : std::nullopt;
  if (!dim || llvm::none_of(reshape->getUsers(), moves_elements)) return false;
  Value memory = slice.getX();
  while (auto same = memory.getDefiningOp<tsr::ReshapeOp>()) memory = same.getX();
  if (Operation* from = memory.getDefiningOp(); from && is_view(from)) return false;
  // The dim of the result that the slice is one of: what is before it lies before the slice.
  const llvm::ArrayRef<int64_t> from = tsr::shape_of(slice.getX()), to = tsr::shape_of(reshape.getY());
  const int64_t before = product(from.take_front(*dim)), behind = product(from.drop_front(*dim + 1));
  size_t at = 0;
  while (at < to.size() && (product(to.take_front(at)) != before || to[at] == 1)) ++at;
  if (at == to.size()) return false;
  const int64_t each = product(to.drop_front(at + 1)), first = slice.getStart()[*dim] * behind;
  if (from[*dim] * behind % each != 0 || first % each != 0) return false;
  mlir::OpBuilder b(reshape);
  llvm::SmallVector<int64_t, 6> shape(to), start(to.size(), 0), stop(to), step(to.size(), 1);
  shape[at] = from[*dim] * behind / each;
  start[at] = first / each, stop[at] += start[at];
  Value all = tsr::ReshapeOp::create(b, reshape.getLoc(), tsr::type_of(reshape.getY()).clone(shape), memory);
  Value cut = tsr::SliceOp::create(b, slice.getLoc(), reshape.getY().getType(), all, b.getDenseI64ArrayAttr(start),
                                   b.getDenseI64ArrayAttr(stop), b.getDenseI64ArrayAttr(step));
  reshape.getY().replaceAllUsesWith(cut);
  return true;
}

}  // namespace

llvm::SmallVector<Operation*, 4> put_slices_last(const Plane& plane) {
  llvm::SmallVector<Operation*, 4> replaced;
  for (Operation* member : plane.ops) {
    if (!llvm::isa<tsr::ContractOp>(member)) continue;
    llvm::SetVector<Operation*> seen;
    for (Value operand : member->getOperands()) find_reshapes(plane, operand, seen);
    for (Operation* op : seen)
      if (auto reshape = llvm::dyn_cast<tsr::ReshapeOp>(op); reshape && !reshape->use_empty() && reorder(reshape))
        replaced.push_back(op);
  }
  return replaced;
}

}  // namespace tessera::ir
