#pragma once
// A score plane: what a contraction of two long dims makes, and everything that is computed from it point by point.
// None of its values need lie in memory, because each can be computed again from operands that lack one of the dims.
//
//   s = contract q, k            seed: rows m from q, columns n from k
//   x = s · scale + bias         plane values: depend on m and n
//   r = max over n of x          row statistic
//   o = contract softmax(x), v   accumulation: sums n, keeps m
//
// Rows and columns are sets of atoms (form/atoms.h) of this plane alone: in self-attention both come from one dim of
// the program, so nothing is unified beyond the plane. One of the two may be empty: a single query has no dim, or one of
// extent 1. Every value of the plane then lies on that side, and nothing ends on the other.

#include <memory>
#include <string>
#include <vector>

#include "llvm/ADT/DenseSet.h"

#include <tessera/ir/form/dim_lists.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {

enum class Side { row, column };
inline Side other(Side side) { return side == Side::row ? Side::column : Side::row; }

// Is every element 0.0?
bool is_zero(mlir::Value value);

// Adds up what it is given in the entries of a small table of zeros: what looked up in the table has this gradient.
bool is_table_sum(mlir::Operation* op);

struct Plane {
  tsr::ContractOp seed;
  std::unique_ptr<DimLists> lists;
  // Members, in program order: plane values, statistics, accumulations, what follows from those, table sums.
  std::vector<mlir::Operation*> ops;
  AtomList rows, columns;

  const AtomList& atoms(Side side) const { return side == Side::row ? rows : columns; }
  bool is_member(mlir::Value value) const { return value.getDefiningOp() && lists->is_member(value.getDefiningOp()); }
  bool spans(mlir::Value member) const;             // depends on rows and columns
  bool is_on(Side side, mlir::Value member) const;  // depends on no atom of the other side
  bool is_score(mlir::Operation* op) const;         // a contraction that makes a plane value
  // A reduction of a plane value, or an accumulation, over all of the other side: its result stays on `side`.
  bool ends_on(Side side, mlir::Operation* op) const;
  // A sum of plane values over batches alone, as of the gradient of a bias that all batches share. Its result is of the
  // plane too, but complete only once the last batch has been.
  bool sums_batches(mlir::Operation* op) const;
};

// The contractions from which a plane can grow: the seed, and others that make values of it.
llvm::SmallVector<mlir::Operation*, 4> scores_of(const Plane& plane);

// `strict` functions sum in the order in which they were written, so their planes stay in memory.
inline bool keeps_order(mlir::Operation* function) { return function->hasAttr("tsr.strict"); }

// The order of a program.
struct InBlock {
  bool operator()(mlir::Operation* a, mlir::Operation* b) const { return a->isBeforeInBlock(b); }
};

// The plane that grows from `seed`; `why` says what is in the way, unless no contraction of its kind makes one.
// `following`: elementwise ops, in program order, that follow from accumulations and shall be members too.
std::unique_ptr<Plane> grow_plane(tsr::ContractOp seed, const FreeOps& free, std::string& why,
                                  llvm::ArrayRef<mlir::Operation*> following = {});

}  // namespace tessera::ir
