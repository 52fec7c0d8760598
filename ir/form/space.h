#pragma once
// One iteration space for a set of ops, or the reason why there is none. The rules are those of fuse.kernel.

#include <memory>
#include <string>

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/MapVector.h"
#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"

#include <tessera/ir/form/free_ops.h>

namespace tessera::ir {

// The dims of the space that make up one dim of a value, major first; none for extent 1.
using Place = llvm::SmallVector<unsigned, 2>;
using Places = llvm::SmallVector<Place, 4>;

struct Space {
  llvm::SmallVector<int64_t, 6> extents;
  int64_t outer = 0;
  llvm::DenseMap<mlir::Value, Places> places;                             // of every member's result
  llvm::DenseMap<mlir::Operation*, Places> operands;                      // of a reduce or scatter: where it reads
  llvm::DenseMap<mlir::Operation*, llvm::DenseMap<char, Place>> letters;  // of a contract
  llvm::SmallVector<mlir::Value, 4> outputs;                              // member results that others read, in order
  Place part_of_row;    // inner dims that some reductions run over and leave the rest to other kernels; none mostly
  std::string refusal;  // not empty: there is no such space

  bool legal() const { return refusal.empty(); }
};

// `ops` in program order.
Space find_space(llvm::ArrayRef<mlir::Operation*> ops, const FreeOps& free);

}  // namespace tessera::ir
