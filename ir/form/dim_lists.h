#pragma once
// The dims of every value of a set of ops, as lists of atoms that are unified wherever an op says that two dims are
// one (atoms.h). What the set is to become, one iteration space or a plane, is up to the caller.

#include <deque>
#include <string>

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"
#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"

#include <tessera/ir/form/atoms.h>
#include <tessera/ir/form/free_ops.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {

AtomList joined(const AtomLists& lists);

class DimLists {
 public:
  using Letters = llvm::MapVector<char, AtomList>;  // of an einsum

  // With `share`, two readers of one value in memory are taken to mean the same elements.
  DimLists(const FreeOps& free, bool share) : free_(free), share_(share) {}

  // Ops that are visited or will be: their results do not lie in memory.
  void add_member(mlir::Operation* op) { members_.insert(op); }
  bool is_member(mlir::Operation* op) const { return members_.contains(op); }

  // In program order. False once there is a refusal.
  bool visit(mlir::Operation* op);
  bool refuse(std::string why);
  const std::string& refusal() const { return refusal_; }  // empty: none
  // Whether an op was read as it was because another reads the same value in memory.
  bool has_shared() const { return has_shared_; }

  // As an op that is visited next would read it. Stays where it is.
  const AtomLists& operand(mlir::Value value);
  const AtomLists& of(mlir::Value visited) const { return lists_[known_.find(visited)->second]; }
  bool knows(mlir::Value value) const { return known_.contains(value); }
  // Of what a reduce reduces, or a scatter scatters.
  const AtomLists& reduced(mlir::Operation* op) const { return reduced_.find(op)->second; }
  const Letters& letters(mlir::Operation* contract) const { return letters_.find(contract)->second; }

  AtomLists fresh(llvm::ArrayRef<int64_t> shape) { return atoms_.fresh(shape); }
  bool unify(const AtomList& a, const AtomList& b) {
    return atoms_.unify(a, b) || refuse("their dims do not factor alike");
  }
  // As unsplit representatives; stale after the next visit.
  AtomList expanded(llvm::ArrayRef<int> list) const { return atoms_.expanded(list); }
  AtomList atoms_of(mlir::Value visited) const { return atoms_.expanded(joined(of(visited))); }
  int64_t extent(int atom) const { return atoms_.extent(atom); }

 private:
  void know(mlir::Value value, AtomLists lists);
  const AtomLists& moved_operand(mlir::Value value);
  AtomLists through(mlir::Operation* op);  // a concatenation has equal parts
  AtomLists visit_contract(tsr::ContractOp contract);
  AtomLists visit_scatter(tsr::ScatterOp scatter);
  bool unify(const AtomLists& a, const AtomLists& b) {
    return atoms_.unify(a, b) || refuse("their dims do not factor alike");
  }

  const FreeOps& free_;
  const bool share_;
  llvm::DenseSet<mlir::Operation*> members_;
  bool moved_ = false;
  Atoms atoms_;
  llvm::DenseMap<mlir::Value, unsigned> known_;  // which of lists_
  std::deque<AtomLists> lists_;                  // what is added moves none
  bool has_shared_ = false;
  llvm::DenseMap<mlir::Operation*, AtomLists> reduced_;
  llvm::DenseMap<mlir::Operation*, Letters> letters_;
  std::string refusal_;
};

}  // namespace tessera::ir
