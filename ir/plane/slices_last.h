#pragma once
// Slices that have another shape when others slice them again: a third of a packed projection, or the first columns of a
// row as pairs, of which halves are rotated. Memory can be read in any shape, but no kernel reads a part of a slice in
// another one, so the reshape goes first:
//
//   reshape(slice x[0:8]) : 4 × 2             →   slice(reshape x : 16 × 2)[0:4]
//   reshape(slice x[1:2] of 3 × 4) : 4        →   slice(reshape x : 12)[4:8]

#include <tessera/ir/plane/plane.h>

namespace tessera::ir {

// In what makes operands of the plane. Gives the reshapes that nobody reads any more.
llvm::SmallVector<mlir::Operation*, 4> put_slices_last(const Plane& plane);

}  // namespace tessera::ir
