#include <tessera/ir/form/space.h>

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallBitVector.h"
#include "llvm/ADT/SmallPtrSet.h"

#include <tessera/ir/form/dim_lists.h>
#include <tessera/ir/tsr/Einsum.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {

using llvm::ArrayRef;
using mlir::Operation;
using mlir::Value;

namespace {

using Members = llvm::SmallPtrSet<Operation*, 16>;

// Do members read `value`, perhaps through free ops; or, if not `inside`, others?
bool is_read(Value value, const Members& members, const FreeOps& free, bool inside) {
  return llvm::any_of(value.getUsers(), [&](Operation* user) {
    return free.is_free(user) && !members.contains(user) ? is_read(user->getResult(0), members, free, inside)
                                                         : members.contains(user) == inside;
  });
}

// What has no dims of its own: a constant, or one element everywhere.
bool fits_any(Value value, const FreeOps& free) {
  Operation* op = value.getDefiningOp();
  auto broadcast = llvm::dyn_cast<tsr::BroadcastOp>(op);
  return llvm::isa<tsr::ConstantOp>(op) ||
         (broadcast && !free.is_free(broadcast.getX()) && tsr::type_of(broadcast.getX()).getNumElements() == 1);
}

// Does each op read what another one makes or reads, directly or by others, so that their dims belong to each other?
bool hang_together(ArrayRef<Operation*> ops) {
  if (ops.size() == 1) return true;
  llvm::SmallDenseMap<Value, int, 64> first_at;  // the first op that reads or makes it
  llvm::SmallVector<int, 32> leaders;
  auto leader_of = [&](int op) {
    while (leaders[static_cast<size_t>(op)] != op) op = leaders[static_cast<size_t>(op)];
    return op;
  };
  size_t apart = ops.size();
  auto meet = [&](Value value, int op) {
    const int with = leader_of(first_at.try_emplace(value, op).first->second), own = leader_of(op);
    if (with == own) return;
    leaders[static_cast<size_t>(std::max(with, own))] = std::min(with, own);
    --apart;
  };
  for (auto [k, op] : llvm::enumerate(ops)) {
    leaders.push_back(static_cast<int>(k));
    for (Value operand : op->getOperands()) meet(operand, static_cast<int>(k));
    meet(op->getResult(0), static_cast<int>(k));
  }
  return apart == 1;
}

// Of ops on whole tensors of one shape, as those of an optimizer are, which are most of a program: nothing is to be unified.
std::optional<Space> space_of_one_shape(ArrayRef<Operation*> ops, const FreeOps& free) {
  const ArrayRef<int64_t> shape = tsr::shape_of(ops.front()->getResult(0));
  auto is_plain = [&](Operation* op) {
    return is_elementwise(op) && tsr::shape_of(op->getResult(0)) == shape &&
           llvm::all_of(op->getOperands(), [&](Value x) { return !free.is_free(x) || fits_any(x, free); });
  };
  if (tsr::type_of(ops.front()->getResult(0)).getNumElements() <= 1) return {};
  if (!llvm::all_of(ops, is_plain) || !hang_together(ops)) return {};
  Space space;
  Places places;
  for (int64_t n : shape) {
    places.emplace_back();
    if (n == 1) continue;
    places.back().push_back(static_cast<unsigned>(space.extents.size()));
    space.extents.push_back(n);
  }
  space.outer = static_cast<int64_t>(space.extents.size());
  space.places = llvm::DenseMap<Value, Places>(static_cast<unsigned>(ops.size()));
  const Members members(ops.begin(), ops.end());
  for (Operation* op : ops) {
    const Value result = op->getResult(0);
    space.places[result] = places;
    if (is_read(result, members, free, /*inside=*/false)) space.outputs.push_back(result);
  }
  return space;
}

struct Reduction {
  Operation* op;
  AtomLists operand;
  AtomList over;  // expanded once all ops are seen
};

class Finder {
 public:
  Finder(ArrayRef<Operation*> ops, const FreeOps& free, bool share)
      : ops_(ops), members_(ops.begin(), ops.end()), free_(free), lists_(free, share) {
    for (Operation* op : ops) lists_.add_member(op);
  }

  bool has_shared() const { return lists_.has_shared(); }

  Space run() {
    for (Operation* op : ops_)
      if (!visit(op)) {
        refuse(lists_.refusal());
        return std::move(space_);
      }
    find_outputs();
    if (number_dims() && (contract_ ? shape_contract() : shape_reductions())) place_all();
    return std::move(space_);
  }

 private:
  bool refuse(std::string why) {
    if (space_.refusal.empty()) space_.refusal = std::move(why);
    return false;
  }

  bool visit(Operation* op) {
    if (auto contract = llvm::dyn_cast<tsr::ContractOp>(op)) {
      if (contract_) return refuse("both contract");
      for (Value operand : contract->getOperands())
        if (members_.contains(base_of(operand).getDefiningOp())) return refuse("a contraction reads memory");
      contract_ = op;
    }
    if (!lists_.visit(op)) return false;
    if (llvm::isa<tsr::ReduceOp>(op)) reductions_.push_back({op, lists_.reduced(op), {}});
    return true;
  }

  void find_outputs() {
    for (Operation* op : ops_)
      if (is_read(op->getResult(0), members_, free_, /*inside=*/false)) space_.outputs.push_back(op->getResult(0));
  }

  // ---- atoms become dims of the space ----

  // Some value must use all atoms: its order of dims is that of the space.
  bool number_dims() {
    AtomList widest;
    llvm::SmallVector<AtomList, 8> all;
    auto add = [&](const AtomLists& lists) {
      AtomList list = lists_.expanded(joined(lists));
      if (AtomList sorted = list; llvm::sort(sorted), std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
        refuse("a value would use one dim twice");
      if (list.size() > widest.size()) widest = list;
      all.push_back(std::move(list));
    };
    for (Operation* op : ops_) add(lists_.of(op->getResult(0)));
    for (const Reduction& r : reductions_) add(r.operand);
    if (contract_) {
      // Result letters first, then those that are summed, in the order of the operands.
      AtomList list = lists_.atoms_of(contract_->getResult(0));
      auto contract = llvm::cast<tsr::ContractOp>(contract_);
      const DimLists::Letters& letters = lists_.letters(contract_);
      const Einsum words = *parse_einsum(std::string_view(contract.getEinsum()));
      for (char letter : words.a + words.b)
        if (auto it = letters.find(letter); it != letters.end())
          for (int atom : lists_.expanded(it->second))
            if (!llvm::is_contained(list, atom)) list.push_back(atom);
      widest = list;
    }
    for (const AtomList& list : all)
      for (int atom : list)
        if (!llvm::is_contained(widest, atom)) return refuse("no value spans all their dims");
    order_ = widest;
    return space_.refusal.empty();
  }

  AtomList atoms_of(Value result) { return lists_.atoms_of(result); }
  static bool same(AtomList a, AtomList b) {
    llvm::sort(a);
    llvm::sort(b);
    return a == b;
  }
  static bool contains(const AtomList& all, const AtomList& some) {
    return llvm::all_of(some, [&](int atom) { return llvm::is_contained(all, atom); });
  }
  AtomList rest(const AtomList& without) const {
    AtomList out;
    for (int atom : order_)
      if (!llvm::is_contained(without, atom)) out.push_back(atom);
    return out;
  }

  void set_dims(const AtomList& outer, const AtomList& inner) {
    order_.clear();
    order_.append(outer);
    order_.append(inner);
    space_.outer = static_cast<int64_t>(outer.size());
    for (int atom : order_) space_.extents.push_back(lists_.extent(atom));
  }

  bool shape_contract() {
    if (!reductions_.empty()) return refuse("one contracts, the other reduces");
    AtomList walked;
    for (const auto& [letter, list] : lists_.letters(contract_))
      for (int atom : lists_.expanded(list)) {
        if (llvm::is_contained(walked, atom)) return refuse("two letters of the contraction would be one dim");
        walked.push_back(atom);
      }
    const AtomList result = atoms_of(contract_->getResult(0));
    for (Operation* op : ops_)
      if (!contains(result, atoms_of(op->getResult(0)))) return refuse("it spans more than the contraction's result");
    for (Value output : space_.outputs)
      if (!same(atoms_of(output), result)) return refuse("a result does not span all dims");
    set_dims(result, rest(result));
    return true;
  }

  // Reductions that the kernel goes on to use fix which dims are inner. Else both shapes are open.
  bool shape_reductions() {
    AtomList used;
    for (Reduction& r : reductions_) {
      auto reduce = llvm::cast<tsr::ReduceOp>(r.op);
      AtomLists over;
      for (int64_t d : reduce.getDims()) over.push_back(r.operand[static_cast<size_t>(d)]);
      r.over = lists_.expanded(joined(over));
      if (!is_read(r.op->getResult(0), members_, free_, /*inside=*/true)) continue;
      if (!used.empty() && !same(used, r.over)) return refuse("they reduce over different dims");
      if (reduces_columns(r)) return refuse("sums over columns end in the kernel that makes them");
      used = r.over;
    }
    if (reductions_.empty() || (!used.empty())) return try_inner(used);
    // Contiguous rows read best as rows, everything else as columns of contiguous dims.
    for (const Reduction& r : reductions_) {
      const bool row_first =
          !r.over.empty() && llvm::is_contained(r.over, order_.back()) && r.over.size() < order_.size();
      const AtomList columns =
          r.over.size() == order_.size() && order_.size() > 1
              ? AtomList(std::next(order_.begin(), static_cast<ptrdiff_t>(order_.size()) - 1), order_.end())
              : rest(r.over);
      for (bool row : {row_first, !row_first}) {
        space_.refusal.clear();
        if (try_inner(row ? r.over : columns)) return true;
      }
    }
    return false;
  }

  // The leading dims go, contiguous ones stay: as rows these would be read one element a line.
  bool reduces_columns(const Reduction& r) {
    const AtomList operand = lists_.expanded(joined(r.operand));
    return r.over.size() < operand.size() && llvm::equal(r.over, ArrayRef(operand).take_front(r.over.size()));
  }

  bool try_inner(const AtomList& unordered) {
    AtomList inner = rest(rest(unordered)), outer = rest(inner), part_of_row;
    if (reductions_.empty()) outer = order_, inner.clear();
    for (const Reduction& r : reductions_) {
      const bool ends = !is_read(r.op->getResult(0), members_, free_, /*inside=*/true), is_row = same(r.over, inner),
                 is_part_of_row = ends && contains(inner, r.over), is_column = ends && contains(r.over, outer);
      if (!is_row && !is_part_of_row && !is_column) return refuse("they reduce over different dims");
      if (!is_row && is_part_of_row) part_of_row = r.over;
    }
    for (Value output : space_.outputs) {
      if (llvm::isa<tsr::ReduceOp>(output.getDefiningOp())) continue;
      const AtomList dims = atoms_of(output);
      if (!same(dims, order_) && !(same(dims, outer) && !reductions_.empty()))
        return refuse("a result does not span all dims");
    }
    set_dims(outer, inner);
    space_.part_of_row = place(part_of_row);
    return true;
  }

  Place place(const AtomList& list) {
    Place dims;
    for (int atom : lists_.expanded(list))
      dims.push_back(static_cast<unsigned>(llvm::find(order_, atom) - order_.begin()));
    return dims;
  }
  Places place(const AtomLists& lists) {
    Places places;
    for (const AtomList& list : lists) places.push_back(place(list));
    return places;
  }

  void place_all() {
    space_.places = llvm::DenseMap<Value, Places>(static_cast<unsigned>(ops_.size()));  // most spaces are of one op
    for (Operation* op : ops_) space_.places[op->getResult(0)] = place(lists_.of(op->getResult(0)));
    for (const Reduction& r : reductions_) space_.operands[r.op] = place(r.operand);
    if (contract_)
      for (const auto& [letter, list] : lists_.letters(contract_)) space_.letters[contract_][letter] = place(list);
  }

  ArrayRef<Operation*> ops_;
  Members members_;
  const FreeOps& free_;
  DimLists lists_;
  llvm::SmallVector<Reduction, 4> reductions_;
  Operation* contract_ = nullptr;
  AtomList order_;
  Space space_;
};

}  // namespace

Space find_space(ArrayRef<Operation*> ops, const FreeOps& free) {
  if (std::optional<Space> space = space_of_one_shape(ops, free)) return std::move(*space);
  Finder sharing(ops, free, /*share=*/true);
  Space space = sharing.run();
  if (space.legal() || !sharing.has_shared()) return space;
  return Finder(ops, free, /*share=*/false).run();
}

}  // namespace tessera::ir
