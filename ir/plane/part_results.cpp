#include <tessera/ir/plane/part_results.h>

#include <set>

#include "llvm/ADT/STLExtras.h"

#include <tessera/ir/plane/parter.h>

namespace tessera::ir {

using mlir::Operation;
using mlir::Value;

namespace {

constexpr size_t most_ops = 48;  // between an accumulation and the joined value

// Products sum whole panels of columns, so narrow parts beside a wide one cost more than the kernel that they save: a quarter
// of 64 columns in halves, 8 + 8 + 48, made a step of attention 18 % slower.
bool wastes_panels(llvm::ArrayRef<int64_t> bounds) {
  constexpr int64_t panel = 32;
  constexpr double most = 1.25;
  auto summed = [](int64_t columns) { return (columns + panel - 1) / panel * panel; };
  int64_t all = 0;
  bool equal = true;
  for (size_t k = 1; k < bounds.size(); ++k) {
    all += summed(bounds[k] - bounds[k - 1]);
    equal &= bounds[k] - bounds[k - 1] == bounds[1];
  }
  return !equal && static_cast<double>(all) > most * static_cast<double>(summed(bounds.back()));
}

// What follows from an accumulation up to the first value through which everybody else sees it.
class Following {
 public:
  Following(const Plane& plane, Value accumulation) : plane_(plane) {
    ops.insert(accumulation.getDefiningOp());
    push_users(accumulation);
    while (!joined && !todo_.empty() && ops.size() <= most_ops) {
      Operation* op = todo_.extract(todo_.begin()).value();
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
    for (Operation* user : value.getUsers()) todo_.insert(user);
  }

  bool follows(Operation* op) const {
    if (plane_.lists->is_member(op)) return false;
    if (!is_view(op) && !is_elementwise(op) && !llvm::isa<tsr::ConcatOp>(op)) return false;
    return llvm::all_of(op->getOperands(), [&](Value x) {
      return (x.getDefiningOp() && ops.contains(x.getDefiningOp())) || !plane_.is_member(base_of(x));
    });
  }

  const Plane& plane_;
  bool joins_ = false;
  std::set<Operation*, InBlock> todo_;
};

// The concatenation that makes `value`, through what is computed point by point; its dim is one of `value`.
tsr::ConcatOp joined_by(Value value, const llvm::DenseSet<Operation*>& following) {
  Operation* op = value.getDefiningOp();
  if (!op || !following.contains(op)) return {};
  if (auto concat = llvm::dyn_cast<tsr::ConcatOp>(op)) return concat;
  if (!is_elementwise(op)) return {};
  for (Value operand : op->getOperands())
    if (tsr::ConcatOp found = joined_by(operand, following)) return found;
  return {};
}

}  // namespace

PartedResults part_results(const Plane& plane, llvm::ArrayRef<Operation*> prologues) {
  const llvm::DenseSet<Operation*> computed(prologues.begin(), prologues.end());
  PartedResults all;
  for (Operation* member : plane.ops) {
    if (!llvm::isa<tsr::ContractOp>(member) || plane.is_score(member)) continue;
    Following following(plane, member->getResult(0));
    tsr::ConcatOp concat = following.joined ? joined_by(following.joined, following.ops) : tsr::ConcatOp();
    if (!concat) continue;
    const size_t dim = concat.getDim();
    mlir::OpBuilder b(following.joined.getDefiningOp());
    Parter parter(b, member, following.ops, computed);
    const auto at = boundaries(following.joined, dim, [&](Operation* op) { return following.ops.contains(op); });
    if (wastes_panels(at)) continue;
    llvm::SmallVector<Value, 4> parts;
    for (size_t k = 1; k < at.size(); ++k)
      parts.push_back(parter.part(following.joined, dim, {at[k - 1], 1, at[k] - at[k - 1]}));
    if (llvm::is_contained(parts, Value()) || parter.elementwise.empty()) continue;
    Value whole = tsr::ConcatOp::create(b, concat.getLoc(), following.joined.getType(), parts, dim);
    following.joined.replaceAllUsesWith(whole);
    all.replaced.push_back(following.joined.getDefiningOp());
    llvm::append_range(all.following, parter.elementwise);
    all.operands.insert_range(parter.operands);
  }
  return all;
}

}  // namespace tessera::ir
