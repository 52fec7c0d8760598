#include <tessera/ir/form/alone.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <tessera/ir/form/body.h>
#include <tessera/ir/tsr/Scalar.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {

using llvm::ArrayRef;
using mlir::Operation;
using mlir::Value;

namespace {

constexpr int64_t most_blocks = 4;  // of a window that meets others: each more takes two more kernels for the ends

// A space in which each element of a tensor of this shape is one point.
Space points(ArrayRef<int64_t> shape) {
  Space space;
  for (int64_t n : shape)
    if (n != 1) space.extents.push_back(n);
  space.outer = static_cast<int64_t>(space.extents.size());
  return space;
}

class Alone {
 public:
  Alone(mlir::OpBuilder& b, Operation* op, const FreeOps& free, const mlir::IRMapping& memory)
      : b_(b), op_(op), free_(free), memory_(memory), type_(tsr::type_of(op->getResult(0))) {}

  // Each part goes behind the one before it, into one tensor. Kernels may have written some of them there already.
  Value concat(tsr::ConcatOp concat, const Begun& begun) {
    Value result = begun.lookup(concat);
    if (!result) result = mlir::tensor::EmptyOp::create(b_, op_->getLoc(), type_, mlir::ValueRange());
    const size_t dim = static_cast<size_t>(concat.getDim());
    int64_t before = 0;
    for (Value part : concat.getParts()) {
      const int64_t shift = before;
      before += tsr::shape_of(part)[dim];
      const Value from = behind_reshapes(part);  // a cascade writes through them
      const bool is_written = !free_.is_free(from) && !memory_.contains(from);
      if (shift == before || is_written) continue;
      result = copy(part, result, [&](Coordinates& to) { to[dim] = {to[dim].index + shift}; });
    }
    return result;
  }

  Value pad(tsr::PadOp pad) {
    Value result = fill(b_, op_->getLoc(), type_, pad.getValue().convertToDouble());
    return copy(pad.getX(), result, [&](Coordinates& to) {
      for (size_t d = 0; d < to.size(); ++d) to[d] = {to[d].index * (pad.getInterior()[d] + 1) + pad.getLow()[d]};
    });
  }

  // The one windowed dim in which windows meet, if blocks of `stride` elements make it up: a window then lies on whole
  // blocks, and each is the sum of one block of taps from each of a few windows in a row.
  static std::optional<size_t> sole_overlap(tsr::FoldOp fold, ArrayRef<int64_t> groups) {
    std::optional<size_t> found;
    for (size_t i = 0; i < groups.size(); ++i) {
      if (groups[i] == 1) continue;
      const int64_t windows = tsr::shape_of(fold.getX())[static_cast<size_t>(fold.getDims()[i])];
      const bool is_of_blocks = fold.getDilation()[i] == 1 && fold.getSize()[i] % fold.getStride()[i] == 0;
      if (found || !is_of_blocks || groups[i] > most_blocks || windows < groups[i]) return std::nullopt;
      found = i;
    }
    return found;
  }

  // Each element is written once: blocks that all windows in reach have a part of, then one by one those at both ends.
  Value fold_blocks(tsr::FoldOp fold, size_t along, int64_t groups) {
    const size_t rank = static_cast<size_t>(type_.getRank()), sizes = fold.getSize().size();
    const auto dim = static_cast<size_t>(fold.getDims()[along]);
    const int64_t windows = tsr::shape_of(fold.getX())[dim], stride = fold.getStride()[along];
    const int64_t blocks = windows + groups - 1;
    const int64_t written =
        tsr::type_of(fold.getX()).getNumElements() / (windows * fold.getSize()[along]) * blocks * stride;
    Value result = written == type_.getNumElements() ? Value() : fill(b_, op_->getLoc(), type_, 0);
    auto write = [&](int64_t first, int64_t count) {
      llvm::SmallVector<int64_t, 8> shape(tsr::shape_of(fold.getX()).take_front(rank));
      shape[dim] = count;
      shape.append(fold.getSize().begin(), fold.getSize().end());
      shape[rank + along] = stride;
      const Space space = points(shape);
      KernelWriter kernel(b_, free_, memory_, space);
      const Coordinates here = kernel.everywhere(shape);
      Coordinates to(here.begin(), here.begin() + static_cast<std::ptrdiff_t>(rank));
      to[dim] = {here[dim].index + first};
      for (size_t i = 0; i < sizes; ++i) {
        const auto d = static_cast<size_t>(fold.getDims()[i]);
        to[d] = {to[d].index * fold.getStride()[i] + here[rank + i].index * fold.getDilation()[i]};
      }
      llvm::SmallVector<Coordinates, 4> parts;
      for (int64_t group = 0; group < groups; ++group) {
        if (first - group < 0 || first + count - 1 - group >= windows) continue;
        parts.push_back(here);
        parts.back()[dim] = {here[dim].index + (first - group)};
        parts.back()[rank + along] = {here[rank + along].index + group * stride};
      }
      Root root{fold.getX(), parts.front(), type_, kernel.offset(to, type_.getShape()), result};
      root.also.append(std::next(parts.begin()), parts.end());
      result = kernel.write(op_, root).getResult(0);
    };
    write(groups - 1, windows - groups + 1);
    for (int64_t block = 0; block < groups - 1; ++block) write(block, 1), write(windows + block, 1);
    return result;
  }

  // One pass over the windows per group of taps: within a group no two windows meet, so each element has one writer.
  // Windows side by side write every element in their only pass; otherwise passes add to zeros.
  Value fold(tsr::FoldOp fold) {
    const size_t rank = static_cast<size_t>(type_.getRank()), sizes = fold.getSize().size();
    const ArrayRef<int64_t> windows = tsr::shape_of(fold.getX()).take_front(rank);
    // Taps t and u of two windows meet where (t − u) · dilation is a multiple of the stride.
    llvm::SmallVector<int64_t, 4> together, groups;
    int64_t passes = 1;
    for (size_t i = 0; i < sizes; ++i) {
      const int64_t stride = fold.getStride()[i];
      together.push_back(std::min(fold.getSize()[i], stride / std::gcd(stride, fold.getDilation()[i])));
      groups.push_back((fold.getSize()[i] + together[i] - 1) / together[i]);
      passes *= groups[i];
    }
    if (std::optional<size_t> dim = sole_overlap(fold, groups)) return fold_blocks(fold, *dim, groups[*dim]);
    const bool covers = passes == 1 && tsr::type_of(fold.getX()).getNumElements() == type_.getNumElements();
    Value result = covers ? Value() : fill(b_, op_->getLoc(), type_, 0);
    for (int64_t pass = 0; pass < passes; ++pass) {
      llvm::SmallVector<int64_t, 4> first(sizes);
      llvm::SmallVector<int64_t, 8> shape(windows);
      int64_t rest = pass;
      for (size_t i = sizes; i-- > 0; rest /= groups[i]) first[i] = rest % groups[i] * together[i];
      for (size_t i = 0; i < sizes; ++i) shape.push_back(std::min(together[i], fold.getSize()[i] - first[i]));
      const Space space = points(shape);
      KernelWriter kernel(b_, free_, memory_, space);
      Coordinates from = kernel.everywhere(shape), to(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(rank));
      for (auto [i, dim] : llvm::enumerate(fold.getDims())) {
        const size_t d = static_cast<size_t>(dim);
        const Linear tap = from[rank + i].index + first[i];
        from[rank + i] = {tap};
        to[d] = {to[d].index * fold.getStride()[i] + tap * fold.getDilation()[i]};
      }
      Root root{fold.getX(), from, type_, kernel.offset(to, type_.getShape()), result, /*accumulate=*/!covers};
      result = kernel.write(op_, root).getResult(0);
    }
    return result;
  }

  Value library(ArrayRef<Value> operands) {
    llvm::SmallVector<Value, 3> inputs;
    for (Value operand : operands) inputs.push_back(memory_.lookup(operand));
    auto call = mlir::OperationState(op_->getLoc(), fuse::LibraryOp::getOperationName());
    call.addOperands(inputs);
    call.addTypes(type_);
    call.addAttribute("name", b_.getStringAttr(op_->getName().stripDialect()));
    for (mlir::NamedAttribute attribute : op_->getAttrs()) call.addAttribute(attribute.getName(), attribute.getValue());
    return b_.create(call)->getResult(0);
  }

 private:
  Value behind_reshapes(Value value) const {
    for (Operation* op; (op = value.getDefiningOp()) && llvm::isa<tsr::ReshapeOp>(op) && free_.is_free(op);)
      value = op->getOperand(0);
    return value;
  }

  // Writes all of `value` into a tensor, at places that `move` makes of its own.
  template <class Move> Value copy(Value value, Value into, Move move) {
    const Space space = points(tsr::shape_of(value));
    KernelWriter kernel(b_, free_, memory_, space);
    const Coordinates from = kernel.everywhere(tsr::shape_of(value));
    Coordinates to = from;
    move(to);
    Root root{value, from, type_, kernel.offset(to, type_.getShape()), into};
    return kernel.write(op_, root).getResult(0);
  }

  mlir::OpBuilder& b_;
  Operation* op_;
  const FreeOps& free_;
  const mlir::IRMapping& memory_;
  mlir::RankedTensorType type_;
};

}  // namespace

Value fill(mlir::OpBuilder& b, mlir::Location at, mlir::RankedTensorType type, double value) {
  const int64_t n = type.getNumElements();
  const Linear first = n == 1 ? Linear() : Linear::dim(0);
  const unsigned dims = n == 1 ? 0 : 1;
  const llvm::SmallVector<int64_t, 1> extents(dims, n);
  auto map = mlir::AffineMapAttr::get(first.map(dims, b.getContext()));
  auto kernel = fuse::KernelOp::create(
      b, at, mlir::TypeRange(type), b.getStringAttr("fill"), b.getDenseI64ArrayAttr(extents), b.getI64IntegerAttr(dims),
      mlir::ValueRange(), b.getArrayAttr({}), mlir::ValueRange(), mlir::DenseI64ArrayAttr(), b.getArrayAttr(map));
  mlir::OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(&kernel.getBody().emplaceBlock());
  Value x = tsr::constant(b, at, tsr::compute_type(type.getElementType()), value);
  fuse::YieldOp::create(b, at, tsr::narrow(b, at, x, type.getElementType()));
  return kernel.getResult(0);
}

tsr::ConcatOp sole_concat(Value value) {
  return value.hasOneUse() ? llvm::dyn_cast<tsr::ConcatOp>(*value.user_begin()) : tsr::ConcatOp();
}

int64_t start_of_part(tsr::ConcatOp concat, Value part) {
  int64_t start = 0;
  for (Value before : concat.getParts()) {
    if (before == part) break;
    start += tsr::shape_of(before)[static_cast<size_t>(concat.getDim())];
  }
  return start;
}

Value lower_alone(mlir::OpBuilder& b, Operation* op, const FreeOps& free, const mlir::IRMapping& memory,
                  const Begun& begun) {
  Alone alone(b, op, free, memory);
  return llvm::TypeSwitch<Operation*, Value>(op)
      .Case([&](tsr::BarrierOp barrier) { return memory.lookup(barrier.getX()); })
      .Case([&](tsr::ConcatOp concat) { return alone.concat(concat, begun); })
      .Case([&](tsr::PadOp pad) { return alone.pad(pad); })
      .Case([&](tsr::FoldOp fold) { return alone.fold(fold); })
      .Default([&](Operation*) { return alone.library(llvm::to_vector<3>(op->getOperands())); });
}

}  // namespace tessera::ir
