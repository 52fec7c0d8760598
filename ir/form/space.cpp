#include <tessera/ir/form/space.h>

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallBitVector.h"
#include "llvm/ADT/SmallPtrSet.h"

#include <tessera/ir/form/atoms.h>
#include <tessera/ir/tsr/Einsum.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {

using llvm::ArrayRef;
using mlir::Operation;
using mlir::Value;

namespace {

AtomList joined(const AtomLists& lists) {
  AtomList all;
  for (const AtomList& list : lists) all.append(list);
  return all;
}

struct Reduction {
  Operation* op;
  AtomLists operand;
  AtomList over;  // expanded once all ops are seen
};

class Finder {
 public:
  Finder(ArrayRef<Operation*> ops, const FreeOps& free, bool share)
      : ops_(ops), members_(ops.begin(), ops.end()), free_(free), share_(share) {}

  Space run() {
    for (Operation* op : ops_)
      if (!visit(op)) return std::move(space_);
    find_outputs();
    if (number_dims() && (contract_ ? shape_contract() : shape_reductions())) place_all();
    return std::move(space_);
  }

 private:
  bool refuse(std::string why) {
    if (space_.refusal.empty()) space_.refusal = std::move(why);
    return false;
  }
  bool unify(const AtomList& a, const AtomList& b) {
    return atoms_.unify(a, b) || refuse("their dims do not factor alike");
  }
  bool unify(const AtomLists& a, const AtomLists& b) {
    return atoms_.unify(a, b) || refuse("their dims do not factor alike");
  }

  // ---- one list per dim of every value ----

  AtomLists operand(Value value) {
    if (auto it = known_.find(value); it != known_.end()) {
      if (moved_ && members_.contains(value.getDefiningOp())) refuse("it reads other elements of a result");
      return it->second;
    }
    Operation* op = value.getDefiningOp();
    AtomLists lists = free_.is_free(op) ? through(op) : atoms_.fresh(tsr::shape_of(value));
    // Two readers of one value usually mean the same elements; when they do not, the caller tries without.
    if (share_) known_[value] = lists;
    return lists;
  }

  AtomLists moved_operand(Value value) {
    const bool before = std::exchange(moved_, true);
    AtomLists lists = operand(value);
    moved_ = before;
    return lists;
  }

  // From the operand of a view, or the operands of a free elementwise op, to its result.
  AtomLists through(Operation* op) {
    if (auto broadcast = llvm::dyn_cast<tsr::BroadcastOp>(op)) {
      AtomLists from = operand(broadcast.getX()), to = atoms_.fresh(tsr::shape_of(broadcast.getY()));
      for (auto [list, dim, n] : llvm::zip(from, broadcast.getDims(), tsr::shape_of(broadcast.getX())))
        if (n != 1) to[static_cast<size_t>(dim)] = list;
      return to;
    }
    if (auto transpose = llvm::dyn_cast<tsr::TransposeOp>(op)) {
      AtomLists from = operand(transpose.getX()), to;
      for (int64_t dim : transpose.getDims()) to.push_back(from[static_cast<size_t>(dim)]);
      return to;
    }
    if (auto reshape = llvm::dyn_cast<tsr::ReshapeOp>(op)) {
      Operation* from = reshape.getX().getDefiningOp();
      const bool in_memory = !free_.is_free(from) && !members_.contains(from);
      AtomLists to = atoms_.fresh(tsr::shape_of(reshape.getY()));
      if (in_memory) return to;  // another shape of the same memory
      if (is_opaque_reshape(op)) refuse("a reshape between them does not factor");
      else unify(joined(operand(reshape.getX())), joined(to));
      return to;
    }
    if (moves_elements(op)) {
      AtomLists from = moved_operand(op->getOperand(0)), to = atoms_.fresh(tsr::shape_of(op->getResult(0)));
      for (size_t d = 0; d < from.size(); ++d)
        if (!moves_dim(op, d)) to[d] = from[d];
      return to;
    }
    if (llvm::isa<tsr::ConstantOp, tsr::IotaOp>(op)) return atoms_.fresh(tsr::shape_of(op->getResult(0)));
    AtomLists lists = operand(op->getOperand(0));
    for (Value other : op->getOperands().drop_front()) unify(lists, operand(other));
    return lists;
  }

  bool visit(Operation* op) {
    AtomLists result;
    if (auto reduce = llvm::dyn_cast<tsr::ReduceOp>(op)) {
      Reduction r{op, operand(reduce.getX()), {}};
      for (auto [d, list] : llvm::enumerate(r.operand))
        if (!llvm::is_contained(reduce.getDims(), static_cast<int64_t>(d))) result.push_back(list);
      reductions_.push_back(std::move(r));
    } else if (auto contract = llvm::dyn_cast<tsr::ContractOp>(op)) {
      if (contract_) return refuse("both contract");
      contract_ = op;
      result = visit_contract(contract);
    } else if (auto gather = llvm::dyn_cast<tsr::GatherOp>(op)) {
      if (members_.contains(gather.getX().getDefiningOp())) return refuse("it gathers from a result");
      result = atoms_.fresh(tsr::shape_of(gather.getY()));
      AtomLists indices = operand(gather.getIndices());
      for (auto [i, list] : llvm::enumerate(indices)) result[static_cast<size_t>(gather.getDim()) + i] = list;
    } else if (auto slice = llvm::dyn_cast<tsr::DynamicSliceOp>(op)) {
      if (members_.contains(slice.getX().getDefiningOp())) return refuse("it slices a result");
      result = atoms_.fresh(tsr::shape_of(slice.getY()));
    } else if (llvm::isa<tsr::RandomOp>(op)) {
      result = atoms_.fresh(tsr::shape_of(op->getResult(0)));
    } else {
      result = through(op);
    }
    known_[op->getResult(0)] = result;
    return space_.refusal.empty();
  }

  AtomLists visit_contract(tsr::ContractOp contract) {
    const Einsum words = *parse_einsum(std::string_view(contract.getEinsum()));
    llvm::SmallVector<char, 2> followers;  // their position follows from two others
    for (const WindowRelation& w : tsr::relations_of(contract.getWindows())) followers.push_back(w.in);
    auto letters_of = [&](const std::string& word, Value tensor) {
      if (members_.contains(base_of(tensor).getDefiningOp())) refuse("a contraction reads memory");
      AtomLists lists = operand(tensor);
      for (auto [letter, list] : llvm::zip(word, lists)) {
        if (llvm::is_contained(followers, letter)) continue;
        if (auto [it, is_new] = letters_.try_emplace(letter, list); !is_new) unify(it->second, list);
      }
    };
    letters_of(words.a, contract.getA());
    letters_of(words.b, contract.getB());
    AtomLists result;
    for (auto [letter, n] : llvm::zip(words.out, tsr::shape_of(contract.getY())))
      result.push_back(letters_.try_emplace(letter, atoms_.fresh(n)).first->second);
    return result;
  }

  // ---- who reads results ----

  bool read_by(Value value, bool inside) {
    for (Operation* user : value.getUsers()) {
      if (free_.is_free(user) && !members_.contains(user) ? read_by(user->getResult(0), inside)
                                                          : members_.contains(user) == inside)
        return true;
    }
    return false;
  }

  void find_outputs() {
    for (Operation* op : ops_)
      if (read_by(op->getResult(0), false)) space_.outputs.push_back(op->getResult(0));
  }

  // ---- atoms become dims of the space ----

  // Some value must use all atoms: its order of dims is that of the space.
  bool number_dims() {
    AtomList widest;
    llvm::SmallVector<AtomList, 8> all;
    auto add = [&](const AtomLists& lists) {
      AtomList list = atoms_.expanded(joined(lists));
      if (AtomList sorted = list; llvm::sort(sorted), std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
        refuse("a value would use one dim twice");
      if (list.size() > widest.size()) widest = list;
      all.push_back(std::move(list));
    };
    for (Operation* op : ops_) add(known_[op->getResult(0)]);
    for (const Reduction& r : reductions_) add(r.operand);
    if (contract_) {
      // Result letters first, then those that are summed, in the order of the operands.
      AtomList list = atoms_.expanded(joined(known_[contract_->getResult(0)]));
      auto contract = llvm::cast<tsr::ContractOp>(contract_);
      const Einsum words = *parse_einsum(std::string_view(contract.getEinsum()));
      for (char letter : words.a + words.b)
        if (auto it = letters_.find(letter); it != letters_.end())
          for (int atom : atoms_.expanded(it->second))
            if (!llvm::is_contained(list, atom)) list.push_back(atom);
      widest = list;
    }
    for (const AtomList& list : all)
      for (int atom : list)
        if (!llvm::is_contained(widest, atom)) return refuse("no value spans all their dims");
    order_ = widest;
    return space_.refusal.empty();
  }

  AtomList atoms_of(Value result) { return atoms_.expanded(joined(known_[result])); }
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
    for (int atom : order_) space_.extents.push_back(atoms_.extent(atom));
  }

  bool shape_contract() {
    if (!reductions_.empty()) return refuse("one contracts, the other reduces");
    AtomList walked;
    for (const auto& [letter, list] : letters_)
      for (int atom : atoms_.expanded(list)) {
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
      r.over = atoms_.expanded(joined(over));
      if (!read_by(r.op->getResult(0), true)) continue;
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
    const AtomList operand = atoms_.expanded(joined(r.operand));
    return r.over.size() < operand.size() && llvm::equal(r.over, ArrayRef(operand).take_front(r.over.size()));
  }

  bool try_inner(const AtomList& unordered) {
    AtomList inner = rest(rest(unordered)), outer = rest(inner), part_of_row;
    if (reductions_.empty()) outer = order_, inner.clear();
    for (const Reduction& r : reductions_) {
      const bool ends = !read_by(r.op->getResult(0), true), is_row = same(r.over, inner),
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
    for (int atom : atoms_.expanded(list))
      dims.push_back(static_cast<unsigned>(llvm::find(order_, atom) - order_.begin()));
    return dims;
  }
  Places place(const AtomLists& lists) {
    Places places;
    for (const AtomList& list : lists) places.push_back(place(list));
    return places;
  }

  void place_all() {
    for (Operation* op : ops_) space_.places[op->getResult(0)] = place(known_[op->getResult(0)]);
    for (const Reduction& r : reductions_) space_.operands[r.op] = place(r.operand);
    for (const auto& [letter, list] : letters_) space_.letters[contract_][letter] = place(list);
  }

  ArrayRef<Operation*> ops_;
  llvm::SmallPtrSet<Operation*, 16> members_;
  const FreeOps& free_;
  const bool share_;
  bool moved_ = false;
  Atoms atoms_;
  llvm::DenseMap<Value, AtomLists> known_;
  llvm::SmallVector<Reduction, 4> reductions_;
  Operation* contract_ = nullptr;
  llvm::MapVector<char, AtomList> letters_;
  AtomList order_;
  Space space_;
};

}  // namespace

Space find_space(ArrayRef<Operation*> ops, const FreeOps& free) {
  Space space = Finder(ops, free, /*share=*/true).run();
  return space.legal() ? std::move(space) : Finder(ops, free, /*share=*/false).run();
}

}  // namespace tessera::ir
