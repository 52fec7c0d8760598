#include <tessera/ir/form/dim_lists.h>

#include "llvm/ADT/STLExtras.h"

#include <tessera/ir/tsr/Einsum.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {

using mlir::Operation;
using mlir::Value;

AtomList joined(const AtomLists& lists) {
  AtomList all;
  for (const AtomList& list : lists) all.append(list);
  return all;
}

bool DimLists::refuse(std::string why) {
  if (refusal_.empty()) refusal_ = std::move(why);
  return false;
}

const AtomLists& DimLists::operand(Value value) {
  if (auto it = known_.find(value); it != known_.end()) {
    if (moved_ && members_.contains(base_of(value).getDefiningOp())) refuse("it reads other elements of a result");
    has_shared_ |= !members_.contains(value.getDefiningOp());
    return lists_[it->second];
  }
  Operation* op = value.getDefiningOp();
  AtomLists lists = free_.is_free(op) ? through(op) : atoms_.fresh(tsr::shape_of(value));
  // Two readers of one value usually mean the same elements; when they do not, the caller tries without.
  if (share_) know(value, std::move(lists));
  else lists_.push_back(std::move(lists));
  return lists_.back();
}

void DimLists::know(Value value, AtomLists lists) {
  known_[value] = static_cast<unsigned>(lists_.size());
  lists_.push_back(std::move(lists));
}

const AtomLists& DimLists::moved_operand(Value value) {
  const bool before = std::exchange(moved_, true);
  const AtomLists& lists = operand(value);
  moved_ = before;
  return lists;
}

// From the operand of a view, or the operands of a free elementwise op, to its result.
AtomLists DimLists::through(Operation* op) {
  if (auto broadcast = llvm::dyn_cast<tsr::BroadcastOp>(op)) {
    const AtomLists& from = operand(broadcast.getX());
    AtomLists to = atoms_.fresh(tsr::shape_of(broadcast.getY()));
    for (auto [list, dim, n] : llvm::zip(from, broadcast.getDims(), tsr::shape_of(broadcast.getX())))
      if (n != 1) to[static_cast<size_t>(dim)] = list;
    return to;
  }
  if (auto transpose = llvm::dyn_cast<tsr::TransposeOp>(op)) {
    const AtomLists& from = operand(transpose.getX());
    AtomLists to;
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
    const AtomLists& from = moved_operand(op->getOperand(0));
    AtomLists to = atoms_.fresh(tsr::shape_of(op->getResult(0)));
    for (size_t d = 0; d < from.size(); ++d)
      if (!moves_dim(op, d)) to[d] = from[d];
    return to;
  }
  if (auto concat = llvm::dyn_cast<tsr::ConcatOp>(op)) {
    AtomLists lists = operand(concat.getParts().front());
    for (Value part : concat.getParts().drop_front()) unify(lists, operand(part));
    AtomList& along = lists[static_cast<size_t>(concat.getDim())];
    const AtomList which = atoms_.fresh(static_cast<int64_t>(concat.getParts().size()));
    along.insert(along.begin(), which.begin(), which.end());
    return lists;
  }
  if (llvm::isa<tsr::ConstantOp, tsr::IotaOp>(op)) return atoms_.fresh(tsr::shape_of(op->getResult(0)));
  AtomLists lists = operand(op->getOperand(0));
  for (Value other : op->getOperands().drop_front()) unify(lists, operand(other));
  return lists;
}

bool DimLists::visit(Operation* op) {
  AtomLists result;
  if (auto reduce = llvm::dyn_cast<tsr::ReduceOp>(op)) {
    const AtomLists& from = reduced_[op] = operand(reduce.getX());
    for (auto [d, list] : llvm::enumerate(from))
      if (!llvm::is_contained(reduce.getDims(), static_cast<int64_t>(d))) result.push_back(list);
  } else if (auto lse = llvm::dyn_cast<tsr::LogSumExpOp>(op)) {
    result = operand(lse.getX());
    result.erase(result.begin() + static_cast<ptrdiff_t>(lse.getDim()));
  } else if (auto contract = llvm::dyn_cast<tsr::ContractOp>(op)) {
    result = visit_contract(contract);
  } else if (auto gather = llvm::dyn_cast<tsr::GatherOp>(op)) {
    if (members_.contains(gather.getX().getDefiningOp())) return refuse("it gathers from a result");
    result = atoms_.fresh(tsr::shape_of(gather.getY()));
    const AtomLists& indices = operand(gather.getIndices());
    for (auto [i, list] : llvm::enumerate(indices)) result[static_cast<size_t>(gather.getDim()) + i] = list;
  } else if (auto scatter = llvm::dyn_cast<tsr::ScatterOp>(op)) {
    result = visit_scatter(scatter);
  } else if (auto slice = llvm::dyn_cast<tsr::DynamicSliceOp>(op)) {
    if (members_.contains(slice.getX().getDefiningOp())) return refuse("it slices a result");
    result = atoms_.fresh(tsr::shape_of(slice.getY()));
  } else if (llvm::isa<tsr::RandomOp>(op)) {
    result = atoms_.fresh(tsr::shape_of(op->getResult(0)));
  } else {
    result = through(op);
  }
  know(op->getResult(0), std::move(result));
  return refusal_.empty();
}

// The dims of the indices become one, which is nobody else's.
AtomLists DimLists::visit_scatter(tsr::ScatterOp scatter) {
  const AtomLists updates = reduced_[scatter] = operand(scatter.getUpdates()), indices = operand(scatter.getIndices());
  const auto dim = static_cast<size_t>(scatter.getDim());
  AtomLists result = atoms_.fresh(tsr::shape_of(scatter.getY()));
  for (size_t d = 0; d < updates.size(); ++d) {
    if (d < dim) result[d] = updates[d];
    else if (d < dim + indices.size()) unify(updates[d], indices[d - dim]);
    else result[d + 1 - indices.size()] = updates[d];
  }
  return result;
}

AtomLists DimLists::visit_contract(tsr::ContractOp contract) {
  const Einsum words = *parse_einsum(std::string_view(contract.getEinsum()));
  llvm::SmallVector<char, 2> followers;  // their position follows from two others
  for (const WindowRelation& w : tsr::relations_of(contract.getWindows())) followers.push_back(w.in);
  Letters& letters = letters_[contract];
  auto letters_of = [&](const std::string& word, Value tensor) {
    const AtomLists& lists = operand(tensor);
    for (auto [letter, list] : llvm::zip(word, lists)) {
      if (llvm::is_contained(followers, letter)) continue;
      if (auto [it, is_new] = letters.try_emplace(letter, list); !is_new) unify(it->second, list);
    }
  };
  letters_of(words.a, contract.getA());
  letters_of(words.b, contract.getB());
  AtomLists result;
  for (auto [letter, n] : llvm::zip(words.out, tsr::shape_of(contract.getY())))
    result.push_back(letters.try_emplace(letter, atoms_.fresh(n)).first->second);
  return result;
}

}  // namespace tessera::ir
