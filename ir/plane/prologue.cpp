#include <tessera/ir/plane/prologue.h>

#include <optional>

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"

namespace tessera::ir {

using mlir::Operation;
using mlir::Value;

namespace {

// Of one operand: it is computed again by each task that streams over it.
constexpr size_t most_ops = 24;

// Takes longer than what it reads.
bool is_dear(Operation* op) {
  return llvm::isa<tsr::ExpOp, tsr::Exp2Op, tsr::LogOp, tsr::Log1pOp, tsr::Expm1Op, tsr::TanhOp, tsr::ErfOp,
                   tsr::SigmoidOp, tsr::SqrtOp, tsr::RsqrtOp, tsr::RecipOp, tsr::SinOp, tsr::CosOp, tsr::DivOp,
                   tsr::FloorDivOp, tsr::RemOp, tsr::PowOp>(op);
}

bool widens(Operation* op) {
  auto cast = llvm::dyn_cast<tsr::CastOp>(op);
  if (!cast) return false;
  const mlir::Type from = tsr::element_of(cast.getX()), to = tsr::element_of(cast.getY());
  return llvm::isa<mlir::FloatType>(from) && llvm::isa<mlir::FloatType>(to) &&
         from.getIntOrFloatBitWidth() < to.getIntOrFloatBitWidth();
}

int64_t size_of(Value value) { return tsr::type_of(value).getNumElements(); }

// One operand, from the contraction down to memory.
class Chain {
 public:
  Chain(const Plane& plane, const FreeOps& free, Value operand) : plane_(plane), free_(free), operand_(operand) {
    find_moved(operand);
    descend(operand);
  }

  llvm::SetVector<Operation*> ops;
  llvm::SetVector<Value> tables;

  // Do its elements come from several places of a row?
  bool joins() const { return joins_; }

  std::optional<Prologues::Missed> why_not() const {
    auto missed = [&](std::string why, std::string hint) {
      return Prologues::Missed{operand_.getDefiningOp(), std::move(why), std::move(hint)};
    };
    if (ops.size() > most_ops)
      return missed("it takes more than " + std::to_string(most_ops) + " ops", "compute it with fewer");
    if (llvm::any_of(leaves_, [&](Value leaf) { return plane_.is_member(leaf); }))
      return missed("it waits for the plane", "make it of values that are there before");
    const auto large = llvm::count_if(leaves_, [&](Value leaf) { return size_of(leaf) >= size_of(operand_); });
    if (large > 1) return missed("it is made of more than one tensor of its size", "make it of one");
    if (!is_read_here_alone(operand_))
      return missed("somebody else reads it", "let the others read what it is made of");
    return {};
  }

 private:
  bool computes(Operation* op) const {
    return op && !free_.is_free(op) && !plane_.lists->is_member(op) &&
           ((is_elementwise(op) && !is_dear(op)) || has_equal_parts(op));
  }

  // What others look at parts of lies in memory: each of them would compute it again, and whoever made it can write it.
  void find_moved(Value value) {
    Operation* op = value.getDefiningOp();
    if (!op || seen_.size() > 4 * most_ops || !seen_.insert(op).second) return;
    if (free_.is_free(op) && moves_elements(op)) {
      Value base = op->getOperand(0);
      for (Operation* from; (from = base.getDefiningOp()) && ((free_.is_free(from) && is_view(from)) || widens(from));)
        base = from->getOperand(0);
      stays_.insert(base);
    }
    if ((free_.is_free(op) && is_view(op)) || is_widening(op) || computes(op))
      for (Value from : op->getOperands()) find_moved(from);
  }

  void descend(Value value) {
    Operation* op = value.getDefiningOp();
    if (ops.size() > most_ops) return;  // no more is asked
    if (!op || stays_.contains(value)) {
      leaves_.insert(value);
    } else if (free_.is_free(op)) {
      if (is_view(op) || is_widening(op)) {
        joins_ |= llvm::isa<tsr::ReverseOp>(op) && !ops.empty();
        descend(op->getOperand(0));
      } else if (takes_long(op)) {
        tables.insert(value);
      }
    } else if (computes(op)) {
      joins_ |= llvm::isa<tsr::ConcatOp>(op);
      if (!ops.insert(op)) return;
      for (Value from : op->getOperands()) descend(from);
    } else {
      leaves_.insert(value);
    }
  }

  // A function of constants alone.
  bool takes_long(Operation* op) const {
    return is_dear(op) || llvm::any_of(op->getOperands(), [&](Value from) {
             return from.getDefiningOp() && takes_long(from.getDefiningOp());
           });
  }

  bool is_read_here_alone(Value value) const {
    return llvm::all_of(value.getUsers(), [&](Operation* user) {
      if (free_.is_free(user)) return is_read_here_alone(user->getResult(0));
      return llvm::isa<tsr::ContractOp>(user) && plane_.lists->is_member(user);
    });
  }

  const Plane& plane_;
  const FreeOps& free_;
  const Value operand_;
  bool joins_ = false;
  llvm::DenseSet<Operation*> seen_;
  llvm::DenseSet<Value> stays_;
  llvm::SetVector<Value> leaves_;
};

// The value that views and widenings in front of a contraction look at.
Value computed(const FreeOps& free, Value operand) {
  while (Operation* op = operand.getDefiningOp()) {
    if (!free.is_free(op) || moves_elements(op) || !(is_view(op) || is_widening(op))) break;
    operand = op->getOperand(0);
  }
  return operand;
}

}  // namespace

Prologues find_prologues(const Plane& plane, const FreeOps& free, const llvm::DenseSet<Value>& parts) {
  llvm::SetVector<Operation*> ops;
  llvm::SetVector<Value> tables, tried;
  Prologues out;
  for (Operation* member : plane.ops) {
    if (!llvm::isa<tsr::ContractOp>(member)) continue;
    for (Value operand : member->getOperands()) {
      const Value value = computed(free, operand);
      if (plane.is_member(value) || !tried.insert(value)) continue;
      const Chain chain(plane, free, value);
      if (chain.ops.empty() || !(chain.joins() || parts.contains(value))) continue;
      if (std::optional<Prologues::Missed> missed = chain.why_not()) {
        out.missed.push_back(std::move(*missed));
        continue;
      }
      ops.insert_range(chain.ops);
      tables.insert_range(chain.tables);
    }
  }
  out.ops.assign(ops.begin(), ops.end()), out.tables.assign(tables.begin(), tables.end());
  return out;
}

}  // namespace tessera::ir
