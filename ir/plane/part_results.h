#pragma once
// Accumulations that others read in parts, which they join again: gradients of queries that were rotated. An element of
// the joined value follows from several elements of the accumulation, so it is no function of one point. Of parts it
// is:
//
//   g = contract p, k            g₀ = contract p, slice k;  g₁ = contract p, slice k
//   a = slice g; b = slice g     y₀ = g₀ cos + g₁ sin
//   y = concat(a cos + b sin,    y₁ = g₁ cos − g₀ sin
//              b cos − a sin)    y  = concat(y₀, y₁)
//
// Then y₀ and y₁ can be members of the plane: the kernel that ends g₀ and g₁ computes and writes them.

#include <vector>

#include <tessera/ir/plane/plane.h>

namespace tessera::ir {

struct PartedResults {
  std::vector<mlir::Operation*> replaced;   // nobody reads them any more; none if there was nothing to do
  std::vector<mlir::Operation*> following;  // from parts of accumulations, in program order
  llvm::DenseSet<mlir::Value> operands;     // that the new contractions read, without views of them
};

// Rewrites the accumulations of `plane`, which holds ops that nobody reads then, if there is anything to do. `prologues`:
// ops that compute operands, whose parts may be computed apart.
PartedResults part_results(const Plane& plane, llvm::ArrayRef<mlir::Operation*> prologues);

}  // namespace tessera::ir
