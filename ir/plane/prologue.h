#pragma once
// Operands of a plane that its kernels compute where they read them: queries and keys that are rotated by their
// position.
//
//   a = slice x, b = slice x        x: what a projection made, in memory
//   y = concat(a cos − b sin, a sin + b cos)
//   s = contract y, …               reads x, cos and sin; y is nowhere
//
// An operand is taken in with what it is computed from, point by point, through views and concatenations, if its elements
// come from several places of a row: no kernel before could make it as it goes then, while what moves nothing belongs to
// the kernel that makes what it reads. (A slice alone does not count: operands that are cast before or behind it are two
// spellings of one program, and keep one kernel.)

#include <string>
#include <vector>

#include <tessera/ir/plane/uneven.h>

namespace tessera::ir {

struct Prologues {
  std::vector<mlir::Operation*> ops;  // that kernels of the plane compute again
  Uneven uneven;                      // among those, still to be cut into equal parts
  std::vector<mlir::Value> tables;    // small, dear to compute and made of constants: these shall lie in memory
  struct Missed {
    mlir::Operation* op;
    std::string why, hint;
  };
  std::vector<Missed> missed;
};

// Of the operands of all contractions of the plane. `free` is what was free when it grew; `parts`: parts of an operand
// that was to be taken in.
Prologues find_prologues(const Plane& plane, const FreeOps& free, const llvm::DenseSet<mlir::Value>& parts = {});

}  // namespace tessera::ir
