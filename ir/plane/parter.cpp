#include <tessera/ir/plane/parter.h>

#include "llvm/ADT/STLExtras.h"

#include <tessera/ir/form/free_ops.h>
#include <tessera/ir/tsr/Einsum.h>

namespace tessera::ir {

using mlir::Operation;
using mlir::Value;

namespace {

mlir::RankedTensorType cut_type(Value value, size_t dim, Cut cut) {
  llvm::SmallVector<int64_t, 6> shape(tsr::shape_of(value));
  shape[dim] = cut.count;
  return tsr::type_of(value).clone(shape);
}

void add_boundaries(Value value, size_t dim, int64_t start, llvm::function_ref<bool(Operation*)> joins,
                    llvm::SmallVectorImpl<int64_t>& out) {
  Operation* op = value.getDefiningOp();
  if (!op || !joins(op)) return;
  auto concat = llvm::dyn_cast<tsr::ConcatOp>(op);
  for (Value operand : op->getOperands()) {
    if (concat ? concat.getDim() == dim : is_elementwise(op)) add_boundaries(operand, dim, start, joins, out);
    if (!concat || concat.getDim() != dim) continue;
    out.push_back(start);
    start += tsr::shape_of(operand)[dim];
  }
}

}  // namespace

llvm::SmallVector<int64_t> boundaries(Value value, size_t dim, llvm::function_ref<bool(Operation*)> joins) {
  llvm::SmallVector<int64_t> all = {0, tsr::shape_of(value)[dim]};
  add_boundaries(value, dim, 0, joins, all);
  llvm::sort(all);
  all.erase(llvm::unique(all), all.end());
  return all;
}

Parter::~Parter() {
  for (Operation* op : llvm::reverse(made_))
    if (op->use_empty()) op->erase();
}

Value Parter::made(Value value) {
  made_.push_back(value.getDefiningOp());
  return value;
}

Value Parter::part(Value value, size_t dim, Cut cut) {
  Operation* op = value.getDefiningOp();
  const bool is_whole = tsr::shape_of(value)[dim] == cut.count && cut.step == 1;
  if (is_whole && (op == accumulation_ || !op || !following_.contains(op))) return value;
  auto known = parts_.find({value.getAsOpaquePointer(), dim, cut});
  if (known != parts_.end()) return known->second;
  Value result = cut_out(value, dim, cut);
  parts_[{value.getAsOpaquePointer(), dim, cut}] = result;
  return result;
}

Value Parter::cut_out(Value value, size_t dim, Cut cut) {
  Operation* op = value.getDefiningOp();
  if (op && op == accumulation_) return product(llvm::cast<tsr::ContractOp>(op), dim, cut);
  const bool is_made_in_parts =
      op && (is_view(op) || is_widening(op) || following_.contains(op) || computed_.contains(op));
  Value result = is_made_in_parts ? of_operands(op, dim, cut) : Value();
  if (!result && !(op && following_.contains(op))) return slice(value, dim, cut);
  return result;
}

Value Parter::of_operands(Operation* op, size_t dim, Cut cut) {
  if (auto concat = llvm::dyn_cast<tsr::ConcatOp>(op)) return of_parts(concat, dim, cut);
  if (auto view = llvm::dyn_cast<tsr::SliceOp>(op)) return of_slice(view, dim, cut);
  if (auto reshape = llvm::dyn_cast<tsr::ReshapeOp>(op)) return of_reshape(reshape, dim, cut);
  if (auto broadcast = llvm::dyn_cast<tsr::BroadcastOp>(op)) return of_broadcast(broadcast, dim, cut);
  if (auto transpose = llvm::dyn_cast<tsr::TransposeOp>(op))
    return again(op, {part(transpose.getX(), static_cast<size_t>(transpose.getDims()[dim]), cut)}, dim, cut);
  if (!is_elementwise(op)) return {};
  llvm::SmallVector<Value, 3> of;
  for (Value x : op->getOperands()) of.push_back(part(x, dim, cut));
  Value result = again(op, of, dim, cut);
  if (result && following_.contains(op)) elementwise.push_back(result.getDefiningOp());
  return result;
}

// `op` of other operands, for what it makes of them.
Value Parter::again(Operation* op, llvm::ArrayRef<Value> of, size_t dim, Cut cut) {
  if (llvm::is_contained(of, Value())) return {};
  Operation* copy = b_.clone(*op);
  copy->setOperands(of);
  copy->getResult(0).setType(cut_type(op->getResult(0), dim, cut));
  return made(copy->getResult(0));
}

Value Parter::slice(Value value, size_t dim, Cut cut) {
  llvm::SmallVector<int64_t, 6> start(tsr::shape_of(value).size(), 0), stop(tsr::shape_of(value)),
      step(start.size(), 1);
  start[dim] = cut.start, step[dim] = cut.step, stop[dim] = cut.start + (cut.count - 1) * cut.step + 1;
  return made(tsr::SliceOp::create(b_, value.getLoc(), cut_type(value, dim, cut), value, b_.getDenseI64ArrayAttr(start),
                                   b_.getDenseI64ArrayAttr(stop), b_.getDenseI64ArrayAttr(step)));
}

// Cuts what alone has the dim: columns of a result.
Value Parter::product(tsr::ContractOp contract, size_t dim, Cut cut) {
  const Einsum words = *parse_einsum(std::string_view(contract.getEinsum()));
  const char letter = words.out[dim];
  const size_t in_a = words.a.find(letter), in_b = words.b.find(letter);
  if ((in_a == std::string::npos) == (in_b == std::string::npos)) return {};
  Value a = contract.getA(), b = contract.getB();
  Value& operand = in_a != std::string::npos ? a : b;
  operand = part(operand, in_a != std::string::npos ? in_a : in_b, cut);
  operands.insert(base_of(operand));
  return again(contract, {a, b}, dim, cut);
}

Value Parter::of_parts(tsr::ConcatOp concat, size_t dim, Cut cut) {
  if (concat.getDim() != dim) return cut.count == tsr::shape_of(concat.getY())[dim] ? joined_again(concat) : Value();
  for (Value from : concat.getParts()) {
    const int64_t extent = tsr::shape_of(from)[dim];
    if (cut.start + (cut.count - 1) * cut.step < extent) return part(from, dim, cut);
    if (cut.start < extent) return {};
    cut.start -= extent;
  }
  return {};
}

// Of parts along another dim, all of it.
Value Parter::joined_again(tsr::ConcatOp concat) {
  const size_t dim = concat.getDim();
  llvm::SmallVector<Value, 4> parts;
  for (Value from : concat.getParts()) {
    parts.push_back(part(from, dim, {0, 1, tsr::shape_of(from)[dim]}));
    if (!parts.back()) return {};
  }
  return made(tsr::ConcatOp::create(b_, concat.getLoc(), concat.getY().getType(), parts, dim));
}

// The cut that it is, and then this one.
Value Parter::of_slice(tsr::SliceOp view, size_t dim, Cut cut) {
  for (size_t d = 0; d < view.getStart().size(); ++d)
    if (d != dim && moves_dim(view, d)) return {};
  return part(view.getX(), dim,
              {view.getStart()[dim] + cut.start * view.getStep()[dim], cut.step * view.getStep()[dim], cut.count});
}

Value Parter::of_broadcast(tsr::BroadcastOp broadcast, size_t dim, Cut cut) {
  Value x = broadcast.getX();
  for (auto [d, n] : llvm::enumerate(tsr::shape_of(x)))
    if (broadcast.getDims()[d] == static_cast<int64_t>(dim) && n != 1) x = part(x, d, cut);
  return again(broadcast, {x}, dim, cut);
}

// Along a dim that stays one; along the last of two that were one; or one of a pair that became one.
Value Parter::of_reshape(tsr::ReshapeOp reshape, size_t dim, Cut cut) {
  Value x = reshape.getX();
  llvm::ArrayRef<int64_t> from = tsr::shape_of(x), to = tsr::shape_of(reshape.getY());
  auto behind = [](llvm::ArrayRef<int64_t> shape, size_t d) {
    int64_t n = 1;
    for (int64_t extent : shape.drop_front(d + 1)) n *= extent;
    return n;
  };
  auto of = [&](size_t d, Cut other) { return again(reshape, {part(x, d, other)}, dim, cut); };
  for (size_t d = 0; d < from.size(); ++d) {
    if (behind(from, d) != behind(to, dim) || from[d] == 1) continue;
    if (from[d] == to[dim]) return of(d, cut);
    if (cut.count == 1 && from[d] % to[dim] == 0) return of(d, {cut.start, to[dim], from[d] / to[dim]});
    if (d == 0 || from[d - 1] * from[d] != to[dim]) continue;
    if (cut.step == 1 && cut.count % from[d] == 0 && cut.start % from[d] == 0)
      return of(d - 1, {cut.start / from[d], 1, cut.count / from[d]});
    if (cut.step == from[d] && cut.count == from[d - 1]) return of(d, {cut.start, 1, 1});
  }
  return {};
}

}  // namespace tessera::ir
