#include <tessera/ir/plane/part_results.h>

#include <map>
#include <optional>

#include "llvm/ADT/STLExtras.h"

#include <tessera/ir/tsr/Einsum.h>

namespace tessera::ir {

using mlir::Operation;
using mlir::Value;

namespace {

constexpr size_t most_ops = 48;  // between an accumulation and the joined value

// What follows from an accumulation up to the first value through which everybody else sees it.
class Following {
 public:
  Following(const Plane& plane, const OpOrder& order, Value accumulation) : plane_(plane), order_(order) {
    ops.insert(accumulation.getDefiningOp());
    push_users(accumulation);
    while (!joined && !todo_.empty() && ops.size() <= most_ops) {
      Operation* op = todo_.begin()->second;
      todo_.erase(todo_.begin());
      if (!follows(op)) break;
      ops.insert(op);
      joins_ |= llvm::isa<tsr::ConcatOp>(op);
      push_users(op->getResult(0));
      const bool is_sole = llvm::all_of(ops, [&](Operation* one) {
        return one == op || llvm::all_of(one->getUsers(), [&](Operation* user) { return ops.contains(user); });
      });
      if (joins_ && is_sole) joined = op->getResult(0);
    }
  }

  llvm::DenseSet<Operation*> ops;  // with what accumulates
  Value joined;

 private:
  void push_users(Value value) {
    for (Operation* user : value.getUsers()) {
      auto at = order_.find(user);
      todo_[at == order_.end() ? -1 : at->second] = user;
    }
  }

  bool follows(Operation* op) const {
    if (!order_.contains(op) || plane_.lists->is_member(op)) return false;
    if (!is_view(op) && !is_elementwise(op) && !has_equal_parts(op)) return false;
    return llvm::all_of(op->getOperands(), [&](Value x) {
      return (x.getDefiningOp() && ops.contains(x.getDefiningOp())) || !plane_.is_member(base_of(x));
    });
  }

  const Plane& plane_;
  const OpOrder& order_;
  bool joins_ = false;
  std::map<int, Operation*> todo_;  // in program order
};

// Elements start, start + step, … along one dim, `count` of them.
struct Cut {
  int64_t start, step, count;
  auto operator<=>(const Cut&) const = default;
};

// Computes parts of a value: what it follows from is cut instead, down to the accumulation and to what lies in memory.
class Parter {
 public:
  Parter(mlir::OpBuilder& b, Operation* accumulation, const llvm::DenseSet<Operation*>& following,
         const llvm::DenseSet<Operation*>& prologues)
      : b_(b), accumulation_(accumulation), following_(following), prologues_(prologues) {}

  // Null where a part follows from more than a part.
  Value part(Value value, size_t dim, Cut cut) {
    Operation* op = value.getDefiningOp();
    const bool is_whole = tsr::shape_of(value)[dim] == cut.count && cut.step == 1;
    if (is_whole && (op == accumulation_ || !op || !following_.contains(op))) return value;
    auto known = parts_.find({value.getAsOpaquePointer(), dim, cut});
    if (known != parts_.end()) return known->second;
    Value result = cut_out(value, dim, cut);
    parts_[{value.getAsOpaquePointer(), dim, cut}] = result;
    return result;
  }

  PartedResults made;

 private:
  Value cut_out(Value value, size_t dim, Cut cut) {
    Operation* op = value.getDefiningOp();
    if (op == accumulation_) return product(llvm::cast<tsr::ContractOp>(op), dim, cut);
    Value result = op && (is_view(op) || is_computed_in_parts(op)) ? of_operands(op, dim, cut) : Value();
    if (!result && !(op && following_.contains(op))) return slice(value, dim, cut);
    return result;
  }

  Value of_operands(Operation* op, size_t dim, Cut cut) {
    if (auto concat = llvm::dyn_cast<tsr::ConcatOp>(op)) return of_parts(concat, dim, cut);
    if (auto view = llvm::dyn_cast<tsr::SliceOp>(op)) return of_slice(view, dim, cut);
    if (auto reshape = llvm::dyn_cast<tsr::ReshapeOp>(op)) return of_reshape(reshape, dim, cut);
    if (auto broadcast = llvm::dyn_cast<tsr::BroadcastOp>(op)) return of_broadcast(broadcast, dim, cut);
    if (auto transpose = llvm::dyn_cast<tsr::TransposeOp>(op))
      return again(op, {part(transpose.getX(), static_cast<size_t>(transpose.getDims()[dim]), cut)}, dim, cut);
    if (!is_elementwise(op)) return {};
    llvm::SmallVector<Value, 3> operands;
    for (Value x : op->getOperands()) operands.push_back(part(x, dim, cut));
    Value result = again(op, operands, dim, cut);
    if (result && following_.contains(op)) made.following.push_back(result.getDefiningOp());
    return result;
  }

  bool is_computed_in_parts(Operation* op) const { return following_.contains(op) || prologues_.contains(op); }

  static mlir::RankedTensorType cut_type(Value value, size_t dim, Cut cut) {
    llvm::SmallVector<int64_t, 6> shape(tsr::shape_of(value));
    shape[dim] = cut.count;
    return tsr::type_of(value).clone(shape);
  }

  // `op` of other operands, for what it makes of them.
  Value again(Operation* op, llvm::ArrayRef<Value> operands, size_t dim, Cut cut) {
    if (llvm::is_contained(operands, Value())) return {};
    Operation* copy = b_.clone(*op);
    copy->setOperands(operands);
    copy->getResult(0).setType(cut_type(op->getResult(0), dim, cut));
    return copy->getResult(0);
  }

  Value slice(Value value, size_t dim, Cut cut) {
    llvm::SmallVector<int64_t, 6> start(tsr::shape_of(value).size(), 0), stop(tsr::shape_of(value)),
        step(start.size(), 1);
    start[dim] = cut.start, step[dim] = cut.step, stop[dim] = cut.start + (cut.count - 1) * cut.step + 1;
    return tsr::SliceOp::create(b_, value.getLoc(), cut_type(value, dim, cut), value, b_.getDenseI64ArrayAttr(start),
                                b_.getDenseI64ArrayAttr(stop), b_.getDenseI64ArrayAttr(step));
  }

  // Cuts what alone has the dim: columns of a result.
  Value product(tsr::ContractOp contract, size_t dim, Cut cut) {
    const Einsum words = *parse_einsum(std::string_view(contract.getEinsum()));
    const char letter = words.out[dim];
    const size_t in_a = words.a.find(letter), in_b = words.b.find(letter);
    if ((in_a == std::string::npos) == (in_b == std::string::npos)) return {};
    Value a = contract.getA(), b = contract.getB();
    Value& operand = in_a != std::string::npos ? a : b;
    operand = part(operand, in_a != std::string::npos ? in_a : in_b, cut);
    made.operands.insert(base_of(operand));
    return again(contract, {a, b}, dim, cut);
  }

  Value of_parts(tsr::ConcatOp concat, size_t dim, Cut cut) {
    if (concat.getDim() != dim) return {};
    const int64_t each = tsr::shape_of(concat.getParts().front())[dim], which = cut.start / each;
    cut.start -= which * each;
    if (cut.start + (cut.count - 1) * cut.step >= each) return {};
    return part(concat.getParts()[static_cast<size_t>(which)], dim, cut);
  }

  // The cut that it is, and then this one.
  Value of_slice(tsr::SliceOp view, size_t dim, Cut cut) {
    for (size_t d = 0; d < view.getStart().size(); ++d)
      if (d != dim && moves_dim(view, d)) return {};
    return part(view.getX(), dim,
                {view.getStart()[dim] + cut.start * view.getStep()[dim], cut.step * view.getStep()[dim], cut.count});
  }

  Value of_broadcast(tsr::BroadcastOp broadcast, size_t dim, Cut cut) {
    Value x = broadcast.getX();
    for (auto [d, n] : llvm::enumerate(tsr::shape_of(x)))
      if (broadcast.getDims()[d] == static_cast<int64_t>(dim) && n != 1) x = part(x, d, cut);
    return again(broadcast, {x}, dim, cut);
  }

  // Along a dim that stays one; along the last of two that were one; or one of a pair that became one.
  Value of_reshape(tsr::ReshapeOp reshape, size_t dim, Cut cut) {
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
      if (cut.step == 1 && cut.count == from[d] && cut.start % from[d] == 0)
        return of(d - 1, {cut.start / from[d], 1, 1});
      if (cut.step == from[d] && cut.count == from[d - 1]) return of(d, {cut.start, 1, 1});
    }
    return {};
  }

  mlir::OpBuilder& b_;
  Operation* accumulation_;
  const llvm::DenseSet<Operation*>&following_, &prologues_;
  std::map<std::tuple<void*, size_t, Cut>, Value> parts_;
};

// The concatenation that makes `value`, through what is computed point by point, and along which dim of it.
std::optional<std::pair<tsr::ConcatOp, size_t>> joined_by(Value value, const llvm::DenseSet<Operation*>& following) {
  Operation* op = value.getDefiningOp();
  if (!op || !following.contains(op)) return {};
  if (auto concat = llvm::dyn_cast<tsr::ConcatOp>(op)) return {{concat, concat.getDim()}};
  if (!is_elementwise(op)) return {};
  for (Value operand : op->getOperands())
    if (auto found = joined_by(operand, following)) return found;
  return {};
}

}  // namespace

PartedResults part_results(const Plane& plane, const OpOrder& order, llvm::ArrayRef<Operation*> prologues) {
  const llvm::DenseSet<Operation*> computed(prologues.begin(), prologues.end());
  PartedResults all;
  for (Operation* member : plane.ops) {
    if (!llvm::isa<tsr::ContractOp>(member) || plane.is_score(member)) continue;
    Following following(plane, order, member->getResult(0));
    const auto by = following.joined ? joined_by(following.joined, following.ops) : std::nullopt;
    if (!by) continue;
    auto [concat, dim] = *by;
    mlir::OpBuilder b(following.joined.getDefiningOp());
    Parter parter(b, member, following.ops, computed);
    const int64_t each = tsr::shape_of(concat.getParts().front())[concat.getDim()];
    llvm::SmallVector<Value, 4> parts;
    for (int64_t k = 0; k < static_cast<int64_t>(concat.getParts().size()); ++k)
      parts.push_back(parter.part(following.joined, dim, {k * each, 1, each}));
    if (llvm::is_contained(parts, Value()) || parter.made.following.empty()) continue;  // what was made is dead
    Value whole = tsr::ConcatOp::create(b, concat.getLoc(), following.joined.getType(), parts, dim);
    following.joined.replaceAllUsesWith(whole);
    llvm::append_range(all.following, parter.made.following);
    all.operands.insert_range(parter.made.operands);
  }
  return all;
}

}  // namespace tessera::ir
