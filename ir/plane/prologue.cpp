#include <tessera/ir/plane/prologue.h>

#include <optional>

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"

namespace tessera::ir {

using mlir::Operation;
using mlir::Value;

namespace {

// Of one element: it is computed again by each task that streams over it.
constexpr int64_t most_ops = 24;
constexpr size_t most_seen = 256;

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

// What kernels of a plane can compute where they read it.
class Computable {
 public:
  Computable(const Plane& plane, const FreeOps& free) : plane_(plane), free_(free), uneven_(find_uneven(plane)) {}

  const Uneven& uneven() const { return uneven_; }
  bool computes(Operation* op) const {
    return op && !free_.is_free(op) && !plane_.lists->is_member(op) &&
           ((is_elementwise(op) && !is_dear(op)) || has_equal_parts(op) || extent_of_parts(op) > 0 || is_of_parts(op));
  }
  // Of a concatenation of unequal parts: 0 if it cannot be cut into equal ones. Of other ops −1.
  int64_t extent_of_parts(Operation* op) const {
    auto concat = llvm::dyn_cast<tsr::ConcatOp>(op);
    const auto known = concat ? uneven_.find(concat) : uneven_.end();
    return known == uneven_.end() ? -1 : known->second;
  }

  // What others look at parts of lies in memory: each of them would compute it again, and whoever made it can write it.
  bool stays(Value value) const { return stays_.contains(value); }
  void find_moved(Value operand) {
    llvm::DenseSet<Operation*> seen;
    find_moved(operand, seen);
  }

 private:
  // A view that is stored because concatenations are written in place, part by part.
  bool is_of_parts(Operation* op) const {
    return is_view(op) && !moves_elements(op) && !is_opaque_reshape(op) &&
           llvm::all_of(op->getUsers(),
                        [&](Operation* user) { return has_equal_parts(user) || extent_of_parts(user) > 0; });
  }

  void find_moved(Value value, llvm::DenseSet<Operation*>& seen) {
    Operation* op = value.getDefiningOp();
    if (!op || seen.size() > most_seen || !seen.insert(op).second) return;
    if (free_.is_free(op) && moves_elements(op)) {
      Value base = op->getOperand(0);
      for (Operation* from; (from = base.getDefiningOp()) && ((free_.is_free(from) && is_view(from)) || widens(from));)
        base = from->getOperand(0);
      stays_.insert(base);
    }
    if ((free_.is_free(op) && is_view(op)) || is_widening(op) || computes(op))
      for (Value from : op->getOperands()) find_moved(from, seen);
  }

  const Plane& plane_;
  const FreeOps& free_;
  const Uneven uneven_;
  llvm::DenseSet<Value> stays_;
};

// One operand, from the contraction down to memory.
class Chain {
 public:
  // `size`: how many elements of it are read.
  Chain(const Plane& plane, const FreeOps& free, const Computable& computable, Value operand, int64_t size)
      : plane_(plane), free_(free), computable_(computable), operand_(operand), size_(size) {
    descend(operand, size_of(operand));
  }

  llvm::SetVector<Operation*> ops;
  llvm::SetVector<Value> tables;

  // Do its elements come from several places of a row?
  bool joins() const { return joins_ || jumble_; }

  std::optional<Prologues::Missed> why_not() const {
    auto missed = [&](std::string why, std::string hint) {
      return Prologues::Missed{operand_.getDefiningOp(), std::move(why), std::move(hint)};
    };
    if (jumble_)
      return Prologues::Missed{jumble_,
                               "what it joins has no common extent that makes at most " + std::to_string(most_parts) +
                                   " parts of one extent",
                               "join at a multiple of a larger part of its extent"};
    if (takes_too_long())
      return missed("it takes more than " + std::to_string(most_ops) + " ops", "compute it with fewer");
    if (llvm::any_of(leaves_, [&](const auto& leaf) { return plane_.is_member(leaf.first); }))
      return missed("it waits for the plane", "make it of values that are there before");
    const auto large = llvm::count_if(leaves_, [&](const auto& leaf) { return leaf.second >= size_; });
    if (large > 1) return missed("it is made of more than one tensor of its size", "make it of one");
    if (!is_read_here_alone(operand_))
      return missed("somebody else reads it", "let the others read what it is made of");
    return {};
  }

 private:
  bool takes_too_long() const { return work_ > most_ops * size_of(operand_); }

  // `read`: at most so many elements of it.
  void descend(Value value, int64_t read) {
    Operation* op = value.getDefiningOp();
    if (takes_too_long()) return;  // no more is asked
    if (!op || computable_.stays(value)) {
      add_leaf(value, read);
    } else if (free_.is_free(op)) {
      if (is_view(op) || is_widening(op)) {
        joins_ |= llvm::isa<tsr::ReverseOp>(op) && !ops.empty();
        descend(op->getOperand(0), moves_elements(op) ? std::min(read, size_of(value)) : read);
      } else if (takes_long(op)) {
        tables.insert(value);
      }
    } else if (computable_.computes(op)) {
      joins_ |= llvm::isa<tsr::ConcatOp>(op);
      if (!ops.insert(op)) return;
      if (!is_view(op)) work_ += size_of(value);
      for (Value from : op->getOperands()) descend(from, read);
    } else {
      if (computable_.extent_of_parts(op) == 0) jumble_ = op;
      add_leaf(value, read);
    }
  }

  void add_leaf(Value value, int64_t read) {
    int64_t& most = leaves_[value];
    most = std::max(most, std::min(read, size_of(value)));
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
  const Computable& computable_;
  const Value operand_;
  const int64_t size_;
  bool joins_ = false;
  Operation* jumble_ = nullptr;             // a concatenation that no kernel computes
  int64_t work_ = 0;                        // elements that all ops make
  llvm::MapVector<Value, int64_t> leaves_;  // and how many elements of each are read
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
  llvm::SetVector<Value> tables;
  llvm::MapVector<Value, int64_t> operands;  // and their elements, as contractions read them
  for (Operation* member : plane.ops)
    if (llvm::isa<tsr::ContractOp>(member))
      for (Value operand : member->getOperands())
        if (Value value = computed(free, operand); !plane.is_member(value))
          operands[value] = std::max(operands[value], size_of(operand));
  Computable computable(plane, free);
  for (const auto& [operand, size] : operands) computable.find_moved(operand);
  Prologues out;
  for (const auto& [operand, size] : operands) {
    const Chain chain(plane, free, computable, operand, size);
    if (!chain.joins() && (chain.ops.empty() || !parts.contains(operand))) continue;
    if (std::optional<Prologues::Missed> missed = chain.why_not()) {
      out.missed.push_back(std::move(*missed));
      continue;
    }
    ops.insert_range(chain.ops);
    tables.insert_range(chain.tables);
  }
  out.ops.assign(ops.begin(), ops.end()), out.tables.assign(tables.begin(), tables.end());
  for (const auto& [concat, extent] : computable.uneven())
    if (ops.contains(concat)) out.uneven.insert({concat, extent});
  return out;
}

}  // namespace tessera::ir
