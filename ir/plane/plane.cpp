#include <tessera/ir/plane/plane.h>

#include <set>

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"

#include <tessera/ir/form/equality.h>
#include <tessera/ir/plane/split_sums.h>
#include <tessera/ir/tsr/Einsum.h>

namespace tessera::ir {

using mlir::Operation;
using mlir::Value;

namespace {

bool contains_any(const AtomList& list, const AtomList& some) {
  return llvm::any_of(list, [&](int atom) { return llvm::is_contained(some, atom); });
}
// Does a value with these atoms lie on a side of the plane? All do on a side of one point.
bool meets(const AtomList& list, const AtomList& side) { return side.empty() || contains_any(list, side); }
bool same(AtomList a, AtomList b) {
  llvm::sort(a);
  llvm::sort(b);
  return a == b;
}

// Letters of an einsum that its result has from one operand alone, and those that are summed.
struct Roles {
  std::string of_a, of_b, summed;
};
Roles roles(tsr::ContractOp contract) {
  const Einsum words = *parse_einsum(std::string_view(contract.getEinsum()));
  Roles out;
  auto has = [](const std::string& word, char letter) { return word.find(letter) != std::string::npos; };
  for (char letter : words.out) {
    if (!has(words.b, letter)) out.of_a += letter;
    if (!has(words.a, letter)) out.of_b += letter;
  }
  for (char letter : words.a)
    if (!has(words.out, letter)) out.summed += letter;
  return out;
}

AtomList atoms_of_letters(const DimLists& lists, Operation* contract, const std::string& letters) {
  AtomList all;
  for (char letter : letters) all.append(lists.letters(contract).find(letter)->second);
  return lists.expanded(all);
}

// Does anybody look for `statistic` among what it was taken from? `as` is the statistic behind views.
bool is_looked_for(Value statistic, Value as) {
  const int64_t count = tsr::type_of(statistic).getNumElements();
  return llvm::any_of(as.getUsers(), [&](Operation* user) {
    if (tests_equality(user)) return tsr::type_of(user->getResult(0)).getNumElements() > count;
    return (is_view(user) || is_widening(user)) && is_looked_for(statistic, user->getResult(0));
  });
}

class Grower {
 public:
  Grower(tsr::ContractOp seed, const FreeOps& free, llvm::ArrayRef<Operation*> following)
      : seed_(seed), free_(free), following_(following.begin(), following.end()) {}

  // Ops that do not fit are left out, and the plane grows again without them.
  std::unique_ptr<Plane> grow(std::string& why) {
    constexpr int most_attempts = 64;
    for (int attempt = 0; attempt < most_attempts; ++attempt) {
      if (!seed_plane(why)) return nullptr;
      take_all();
      for (size_t known = 0; !unfit_ && known < plane_->ops.size();) {
        known = plane_->ops.size();
        look_again();
        take_all();
      }
      for (Operation* op : following_)
        if (!unfit_ && !left_out_.contains(op)) become_member(op);
      if (!unfit_) settle();
      if (!unfit_) return is_reduced() ? std::move(plane_) : nullptr;
      if (unfit_ == seed_) break;
      left_out_.insert(unfit_);
    }
    why = "its values do not fit one plane";
    return nullptr;
  }

 private:
  // What nothing is reduced over are results of an ordinary contraction.
  bool is_reduced() const {
    return sums_both_sides(*plane_) || llvm::any_of(plane_->ops, [&](Operation* op) {
             return plane_->ends_on(Side::row, op) || plane_->ends_on(Side::column, op);
           });
  }

  bool seed_plane(std::string& why) {
    plane_ = std::make_unique<Plane>();
    plane_->seed = seed_;
    plane_->lists = std::make_unique<DimLists>(free_, /*share=*/false);
    todo_.clear();
    no_statistic_.clear();
    unfit_ = nullptr;
    const Roles letters = roles(seed_);
    if ((letters.of_a.empty() && letters.of_b.empty()) || letters.summed.empty() || !seed_.getWindows().empty())
      return false;
    become_member(seed_);
    if (unfit_) return why = lists().refusal(), false;
    rows_ = atoms_of_letters(lists(), seed_, letters.of_a);
    columns_ = atoms_of_letters(lists(), seed_, letters.of_b);
    return !rows_.empty() || !columns_.empty();
  }

  DimLists& lists() { return *plane_->lists; }
  bool is_member(Operation* op) { return op && lists().is_member(op); }

  bool spans(const AtomLists& dims) {
    const AtomList all = lists().expanded(joined(dims));
    return meets(all, lists().expanded(rows_)) && meets(all, lists().expanded(columns_));
  }

  void become_member(Operation* op) {
    lists().add_member(op);
    plane_->ops.push_back(op);
    if (!lists().visit(op)) {
      unfit_ = op;
      return;
    }
    if (!llvm::isa<tsr::ScatterOp>(op) && (op == seed_ || spans(lists().of(op->getResult(0))))) {
      // What a sum over batches makes is for others to read, unless it goes into a table.
      if (llvm::isa<tsr::ReduceOp>(op)) push_table_sums(op->getResult(0));
      else push_users(op->getResult(0));
    }
  }

  void push_users(Value value) {
    for (Operation* user : value.getUsers()) {
      if (free_.is_free(user)) push_users(user->getResult(0));
      else if (!is_member(user) && !left_out_.contains(user)) todo_.insert(user);
    }
  }

  void take_all() {
    while (!todo_.empty() && !unfit_) {
      take(todo_.extract(todo_.begin()).value());
    }
  }

  // What was taken in for its reader had its own dims until that was: now it has those of the plane, and its readers belong
  // to it. And what waits for a statistic that came in later is known by that now.
  void look_again() {
    no_statistic_.clear();
    const std::vector<Operation*> before = plane_->ops;
    for (Operation* op : before) {
      if (unfit_ || llvm::isa<tsr::ScatterOp, tsr::ReduceOp>(op)) continue;
      const AtomLists dims = lists().of(op->getResult(0));
      if (!spans(dims)) continue;
      push_users(op->getResult(0));
      if (is_elementwise(op))
        for (Value operand : op->getOperands()) absorb(operand, dims);
    }
  }

  void push_table_sums(Value value) {
    for (Operation* user : value.getUsers()) {
      if (free_.is_free(user)) push_table_sums(user->getResult(0));
      else if (sums_table(user) || (llvm::isa<tsr::CastOp>(user) && goes_into_tables(user->getResult(0))))
        todo_.insert(user);
    }
  }
  bool sums_table(Operation* op) const { return is_table_sum(op) && !left_out_.contains(op); }

  // Is everybody who reads it, behind views and casts, a sum in a table?
  bool goes_into_tables(Value value) const {
    return llvm::all_of(value.getUsers(), [&](Operation* user) {
      if (free_.is_free(user) || llvm::isa<tsr::CastOp>(user)) return goes_into_tables(user->getResult(0));
      return sums_table(user) && llvm::cast<tsr::ScatterOp>(user).getUpdates() == value;
    });
  }

  // A user of a plane value.
  void take(Operation* op) {
    if (is_member(op) || tests_equality(op)) return;
    if (auto scatter = llvm::dyn_cast<tsr::ScatterOp>(op)) {
      if (sums_table(op) && is_member(base_of(scatter.getUpdates()).getDefiningOp())) become_member(op);
      return;
    }
    if (llvm::isa<tsr::ReduceOp>(op) && is_looked_for(op->getResult(0), op->getResult(0))) return;
    if (is_elementwise(op)) {
      AtomLists at;
      for (Value operand : op->getOperands())
        if (is_member(base_of(operand).getDefiningOp()))
          if (AtomLists dims = lists().operand(operand); spans(dims)) at = std::move(dims);
      if (at.empty()) return;  // it reads other elements: what it reads must lie in memory
      for (Value operand : op->getOperands()) absorb(operand, at);
      if (!unfit_) become_member(op);
      return;
    }
    auto contract = llvm::dyn_cast<tsr::ContractOp>(op);
    if (llvm::isa<tsr::SoftmaxOp, tsr::LogSumExpOp, tsr::ReduceOp>(op) || (contract && contract.getWindows().empty()))
      become_member(op);
  }

  // `value`, an operand with these dims: what computes it from less than the plane becomes a member.
  void absorb(Value value, const AtomLists& at) {
    Operation* op = value.getDefiningOp();
    if (!op || is_member(op) || unfit_) return;
    if (!spans(at)) {
      absorb_statistics(value);
      return;
    }
    if (left_out_.contains(op) || tests_equality(op)) return;
    if (auto broadcast = llvm::dyn_cast<tsr::BroadcastOp>(op)) {
      AtomLists from;
      for (auto [dim, n] : llvm::zip(broadcast.getDims(), tsr::shape_of(broadcast.getX())))
        from.push_back(n == 1 ? AtomList{} : at[static_cast<size_t>(dim)]);
      return absorb(broadcast.getX(), from);
    }
    if (auto transpose = llvm::dyn_cast<tsr::TransposeOp>(op)) {
      AtomLists from(at.size());
      for (auto [d, dim] : llvm::enumerate(transpose.getDims())) from[static_cast<size_t>(dim)] = at[d];
      return absorb(transpose.getX(), from);
    }
    if (auto reshape = llvm::dyn_cast<tsr::ReshapeOp>(op)) {
      if (is_opaque_reshape(op)) return;
      AtomLists from = lists().fresh(tsr::shape_of(reshape.getX()));
      if (lists().unify(joined(from), joined(at))) absorb(reshape.getX(), from);
      else unfit_ = seed_;
      return;
    }
    if (free_.is_free(op)) {
      for (Value operand : op->getOperands()) absorb(operand, at);
      return;
    }
    auto contract = llvm::dyn_cast<tsr::ContractOp>(op);
    if (is_elementwise(op)) {
      for (Value operand : op->getOperands()) absorb(operand, at);
      if (!unfit_) become_member(op);
    } else if (contract && contract.getWindows().empty()) {
      const Roles letters = roles(contract);
      const bool one_sided = rows_.empty() || columns_.empty();
      const bool has_both = !letters.of_a.empty() && !letters.of_b.empty();
      if ((has_both || (one_sided && letters.of_a != letters.of_b)) && !letters.summed.empty()) become_member(op);
    } else if (llvm::isa<tsr::GatherOp, tsr::RandomOp>(op)) {
      become_member(op);
    }
  }

  // Row or column values that are computed from statistics of this plane: true if `value` is one.
  bool absorb_statistics(Value value) {
    Operation* op = value.getDefiningOp();
    if (!op || no_statistic_.contains(op)) return false;
    if (is_member(op)) return !llvm::isa<tsr::ContractOp>(op);
    bool found = false;
    if (free_.is_free(op) || (is_elementwise(op) && !left_out_.contains(op) && !tests_equality(op)))
      for (Value operand : op->getOperands()) found |= absorb_statistics(operand);
    if (!found) no_statistic_.insert(op);
    else if (!free_.is_free(op) && !unfit_) become_member(op);
    return found;
  }

  // Every atom has its final form now: does every member fit?
  void settle() {
    plane_->rows = lists().expanded(rows_);
    plane_->columns = lists().expanded(columns_);
    llvm::sort(plane_->ops, InBlock());
    const AtomList whole = lists().atoms_of(seed_.getY());
    for (Operation* op : plane_->ops)
      if (!fits(op, whole)) {
        unfit_ = op;
        return;
      }
  }

  bool fits(Operation* op, const AtomList& whole) {
    const Value value = op->getResult(0);
    const AtomList atoms = lists().atoms_of(value);
    if (AtomList sorted = atoms; llvm::sort(sorted), std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
      return false;  // row and column would be one
    if (auto scatter = llvm::dyn_cast<tsr::ScatterOp>(op)) return scatters_whole(scatter, whole);
    if (llvm::isa<tsr::ContractOp>(op))
      return letters_are_apart(op) &&
             (plane_->is_score(op) || plane_->ends_on(Side::row, op) || plane_->ends_on(Side::column, op));
    if (following_.contains(op)) return plane_->is_on(Side::row, value) || plane_->is_on(Side::column, value);
    if (!llvm::all_of(atoms, [&](int atom) { return llvm::is_contained(whole, atom); })) return false;
    if (llvm::isa<tsr::ReduceOp, tsr::LogSumExpOp>(op))
      return plane_->ends_on(Side::row, op) || plane_->ends_on(Side::column, op) ||
             (plane_->sums_batches(op) && !is_read_by_member(value));
    if (auto softmax = llvm::dyn_cast<tsr::SoftmaxOp>(op)) {
      const AtomList along = lists().expanded(lists().of(value)[static_cast<size_t>(softmax.getDim())]);
      return !along.empty() && (same(along, plane_->rows) || same(along, plane_->columns));
    }
    return plane_->spans(value) || plane_->is_on(Side::row, value) || plane_->is_on(Side::column, value);
  }

  // Each point of the plane once, and an index that somebody looks up with in the plane, who reports what is outside.
  bool scatters_whole(tsr::ScatterOp scatter, const AtomList& whole) {
    Value source = base_of(scatter.getUpdates());
    while (auto cast = source.getDefiningOp<tsr::CastOp>()) {
      if (!goes_into_tables(cast.getY())) break;
      source = base_of(cast.getX());
    }
    auto batches = source.getDefiningOp<tsr::ReduceOp>();
    if (!is_member(source.getDefiningOp()) || (batches && !plane_->sums_batches(batches))) return false;
    const AtomList summed = lists().expanded(joined(batches ? lists().reduced(batches) : lists().of(source)));
    AtomList indexed, kept;
    const auto dim = static_cast<size_t>(scatter.getDim()), count = tsr::shape_of(scatter.getIndices()).size();
    for (auto [d, list] : llvm::enumerate(lists().reduced(scatter)))
      (d >= dim && d < dim + count ? indexed : kept).append(lists().expanded(list));
    if (!same(summed, whole) || contains_any(kept, indexed) || contains_any(kept, plane_->rows) ||
        contains_any(kept, plane_->columns) || plane_->rows.empty() || plane_->columns.empty())
      return false;
    // A task goes through the batches that any sum runs over, and has one table for them all.
    for (Operation* member : plane_->ops)
      if (llvm::isa<tsr::ScatterOp>(member) || plane_->sums_batches(member))
        if (!llvm::all_of(kept,
                          [&](int atom) { return llvm::is_contained(lists().atoms_of(member->getResult(0)), atom); }))
          return false;
    return llvm::any_of(plane_->ops, [&](Operation* member) {
      auto gather = llvm::dyn_cast<tsr::GatherOp>(member);
      return gather && gather.getIndices() == scatter.getIndices() &&
             tsr::shape_of(gather.getX())[static_cast<size_t>(gather.getDim())] == tsr::shape_of(scatter.getY())[dim];
    });
  }

  bool is_read_by_member(Value value) {
    return llvm::any_of(value.getUsers(), [&](Operation* user) {
      if (sums_table(user) || (llvm::isa<tsr::CastOp>(user) && goes_into_tables(user->getResult(0)))) return false;
      return is_member(user) || (free_.is_free(user) && is_read_by_member(user->getResult(0)));
    });
  }

  // No two dims became one where a reader of the result, as x · softmax(x), says that they are.
  bool letters_are_apart(Operation* contract) {
    AtomList all;
    for (const auto& [letter, atoms] : lists().letters(contract)) all.append(lists().expanded(atoms));
    llvm::sort(all);
    return std::adjacent_find(all.begin(), all.end()) == all.end();
  }

  tsr::ContractOp seed_;
  const FreeOps& free_;
  std::unique_ptr<Plane> plane_;
  AtomList rows_, columns_;             // as the seed named them, before splits
  std::set<Operation*, InBlock> todo_;  // users of plane values
  llvm::SetVector<Operation*> following_;
  llvm::DenseSet<Operation*> left_out_;  // what did not fit
  llvm::DenseSet<Operation*> no_statistic_;
  Operation* unfit_ = nullptr;
};

}  // namespace

bool is_zero(Value value) {
  auto constant = base_of(value).getDefiningOp<tsr::ConstantOp>();
  auto number = constant ? llvm::dyn_cast<mlir::FloatAttr>(constant.getValue()) : mlir::FloatAttr();
  return number && number.getValue().isZero();
}

bool is_table_sum(Operation* op) {
  // Each task has a table of its own, and a few copies beside; those must stay near.
  constexpr int64_t most_entries = 4096;
  auto scatter = llvm::dyn_cast<tsr::ScatterOp>(op);
  if (!scatter || scatter.getMode() != "add" || !is_zero(scatter.getBase())) return false;
  const int64_t entries = tsr::shape_of(scatter.getY())[static_cast<size_t>(scatter.getDim())];
  return llvm::isa<mlir::FloatType>(tsr::element_of(scatter.getY())) && entries > 1 && entries <= most_entries;
}

bool Plane::spans(Value member) const {
  const AtomList all = lists->atoms_of(member);
  return meets(all, rows) && meets(all, columns);
}

bool Plane::is_on(Side side, Value member) const { return !contains_any(lists->atoms_of(member), atoms(other(side))); }

bool Plane::is_score(Operation* op) const {
  auto contract = llvm::dyn_cast<tsr::ContractOp>(op);
  if (!contract || !spans(contract.getY())) return false;
  const Einsum words = *parse_einsum(std::string_view(contract.getEinsum()));
  const AtomList a = atoms_of_letters(*lists, op, words.a), b = atoms_of_letters(*lists, op, words.b);
  const AtomList whole = lists->atoms_of(seed->getResult(0)), result = lists->atoms_of(contract.getY());
  const AtomList summed = atoms_of_letters(*lists, op, roles(contract).summed);
  for (Value operand : contract->getOperands())
    if (lists->is_member(base_of(operand).getDefiningOp())) return false;
  if (contains_any(summed, whole)) return false;
  if (!llvm::all_of(result, [&](int atom) { return llvm::is_contained(whole, atom); })) return false;
  return (!contains_any(a, columns) && !contains_any(b, rows)) || (!contains_any(a, rows) && !contains_any(b, columns));
}

bool Plane::ends_on(Side side, Operation* op) const {
  const AtomList& along = atoms(other(side));
  if (along.empty()) return false;
  if (auto reduce = llvm::dyn_cast<tsr::ReduceOp>(op)) {
    AtomLists over;
    for (int64_t d : reduce.getDims()) over.push_back(lists->reduced(op)[static_cast<size_t>(d)]);
    return same(lists->expanded(joined(over)), along);
  }
  if (auto lse = llvm::dyn_cast<tsr::LogSumExpOp>(op)) {
    Value x = lse.getX();
    const AtomList gone = lists->expanded(joined(lists->of(base_of(x))));
    AtomList kept = lists->atoms_of(lse.getY()), all = kept;
    all.append(along);
    return same(all, gone);
  }
  auto contract = llvm::dyn_cast<tsr::ContractOp>(op);
  if (!contract) return false;
  const Einsum words = *parse_einsum(std::string_view(contract.getEinsum()));
  const bool a_is_plane = lists->is_member(base_of(contract.getA()).getDefiningOp());
  const bool b_is_plane = lists->is_member(base_of(contract.getB()).getDefiningOp());
  if (a_is_plane == b_is_plane) return false;
  const AtomList plane = atoms_of_letters(*lists, op, a_is_plane ? words.a : words.b);
  const AtomList memory = atoms_of_letters(*lists, op, a_is_plane ? words.b : words.a);
  const AtomList whole = lists->atoms_of(seed->getResult(0));
  return same(atoms_of_letters(*lists, op, roles(contract).summed), along) && !contains_any(memory, atoms(side)) &&
         meets(plane, atoms(side)) && llvm::all_of(plane, [&](int atom) { return llvm::is_contained(whole, atom); });
}

bool Plane::sums_batches(Operation* op) const {
  auto sum = llvm::dyn_cast<tsr::ReduceOp>(op);
  if (!sum || sum.getKind() != "sum" || !spans(sum.getY())) return false;
  // Sums lie in memory from one batch to the next: a narrow type would round them each time.
  const mlir::Type type = tsr::element_of(sum.getY());
  if (!llvm::isa<mlir::FloatType>(type) || type.getIntOrFloatBitWidth() < 32) return false;
  AtomLists over;
  for (int64_t d : sum.getDims()) over.push_back(lists->reduced(op)[static_cast<size_t>(d)]);
  const AtomList summed = lists->expanded(joined(over));
  return !summed.empty() && !contains_any(summed, rows) && !contains_any(summed, columns);
}

llvm::SmallVector<Operation*, 4> scores_of(const Plane& plane) {
  return llvm::filter_to_vector<4>(plane.ops, [&](Operation* op) { return plane.is_score(op); });
}

std::unique_ptr<Plane> grow_plane(tsr::ContractOp seed, const FreeOps& free, std::string& why,
                                  llvm::ArrayRef<Operation*> following) {
  return Grower(seed, free, following).grow(why);
}

}  // namespace tessera::ir
