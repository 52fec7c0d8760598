#pragma once
// Free ops: views, the widenings of a mixed precision, constants, iotas, elementwise functions of the last two alone, and
// those that nothing but a fold reads. They have no kernel of their own; every kernel that uses one computes it again from
// coordinates. A few must exist in memory all the same, because a reader wants a whole tensor: those are `stored` and become
// kernels.

#include "llvm/ADT/DenseMap.h"
#include "mlir/IR/Block.h"
#include "mlir/IR/Operation.h"

namespace tessera::ir {

bool is_view(mlir::Operation*);                // result elements are operand elements elsewhere
bool moves_elements(mlir::Operation*);         // a view that is no bijection of dims: slice, reverse, window
bool moves_dim(mlir::Operation*, size_t dim);  // whether one of those touches this dim of its operand
// A reshape whose extents do not factor, [4, 6] to [8, 3]: it reads only what lies in memory.
bool is_opaque_reshape(mlir::Operation*);
bool is_widening(mlir::Operation*);      // what tsr-mma-precision puts before contractions: they read the narrow value
mlir::Value base_of(mlir::Value value);  // what a chain of views and widenings looks at
bool is_elementwise(mlir::Operation*);
// A concatenation of parts of one extent: its dim is the product of which part and where in that.
bool has_equal_parts(mlir::Operation*);
// Ops that are kernels or library calls of their own and share them with nobody.
bool stands_alone(mlir::Operation*);

class FreeOps {
 public:
  // What is free in `block` as it is now; changes of the block change no answer.
  explicit FreeOps(mlir::Block& block);
  // Answered op by op when asked, from an op and those around it, because a plane asks about few of a long program.
  // `takes_points`: of what a routine is handed whole tensors of, the ops that read element by element all the same.
  FreeOps(mlir::Block& block, bool (*takes_points)(mlir::Operation*));
  // The block is another one now.
  void forget() { known_.clear(), of_indices_.clear(); }

  bool is_free(mlir::Operation* op) const {
    if (!op) return false;
    if (auto told = told_.find(op); told != told_.end()) return told->second;
    return !is_settled_ && find_out(op);
  }
  bool is_free(mlir::Value value) const { return is_free(value.getDefiningOp()); }
  // From now on `op` is computed by each kernel that uses it.
  void release(mlir::Operation* op) { told_[op] = true; }
  // From now on `value` lies in memory. Does nothing to arguments and to results of other ops: they do anyway.
  void store(mlir::Value value) {
    if (mlir::Operation* op = value.getDefiningOp()) told_[op] = false;
  }
  // Of a free op.
  void add_copy(mlir::Operation* op) { told_[op] = true; }

 private:
  bool find_out(mlir::Operation* op) const;
  bool needs_no_kernel(mlir::Operation* op) const;
  bool is_of_indices(mlir::Operation* op) const;
  bool goes_into_folds(mlir::Operation* op) const;
  bool is_stored(mlir::Operation* op) const;
  bool reshapes(mlir::Operation* op) const;
  bool found_free(mlir::Value value) const { return value.getDefiningOp() && find_out(value.getDefiningOp()); }

  bool (*takes_points_)(mlir::Operation*);
  bool has_folds_, is_settled_ = false;
  llvm::DenseMap<mlir::Operation*, bool> told_;                        // or found out for good
  mutable llvm::DenseMap<mlir::Operation*, bool> known_, of_indices_;  // as the block is
};

}  // namespace tessera::ir
