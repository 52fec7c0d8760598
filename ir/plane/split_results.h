#pragma once
// Accumulations of which nobody reads all, but each reader a slice: gradients of keys that join what each head has with
// what all heads share. Each slice becomes an accumulation of its own, and so a result that lies where its readers want it:
//
//   g = contract p, q                    a' = contract p, slice q
//   a = slice g; b = slice g             b' = contract p, slice q
//   … concat(a, dv); … reduce b
//
// Slices that come together again stay one.

#include <tessera/ir/plane/plane.h>

namespace tessera::ir {

struct SplitResults {
  std::vector<mlir::Operation*> replaced;  // nobody reads them any more; none if there was nothing to do
  llvm::DenseSet<mlir::Value> operands;    // that the new contractions read, without views of them
};

// Rewrites accumulations of `plane`, which holds ops that nobody reads then, if there is anything to do. `prologues`: ops
// that compute operands, whose parts may be computed apart.
SplitResults split_results(const Plane& plane, llvm::ArrayRef<mlir::Operation*> prologues);

}  // namespace tessera::ir
