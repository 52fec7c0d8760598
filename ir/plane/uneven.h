#pragma once
// Operands of a plane that join parts of unequal extents: rows of which the first columns are rotated alone, or a latent
// beside a rotated part. Kernels compute a concatenation of equal parts, whose dim is the product of which part and where
// in it (form/body.h), so such ones are cut into more parts that are equal:
//
//   concat(latent: 128, rotated: 64)     →  concat(latent[0:64], latent[64:128], rotated)
//   concat(a: 8, b: 8, passes: 48)       →  concat(a, b, passes[0:8], …, passes[40:48])

#include "llvm/ADT/MapVector.h"

#include <tessera/ir/plane/plane.h>

namespace tessera::ir {

// Each part is code of its own, for each kernel that reads the operand.
constexpr int64_t most_parts = 8;

// Such concatenations in front of contractions of the plane, and the extent of the parts that they can be cut into; 0 if
// there would be too many. Along dims that are neither of its rows nor columns nor batches.
using Uneven = llvm::MapVector<tsr::ConcatOp, int64_t>;
Uneven find_uneven(const Plane& plane);

// `concat` in parts of this extent, for its readers. `computed`: ops that may be computed in parts.
tsr::ConcatOp with_equal_parts(tsr::ConcatOp concat, int64_t extent, const llvm::DenseSet<mlir::Operation*>& computed);

}  // namespace tessera::ir
