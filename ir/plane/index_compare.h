#pragma once
// Comparisons of what the point's indices give, row ≥ column above all, said in one way.

#include <optional>

#include <tessera/ir/fuse/Fuse.h>

namespace tessera::ir {

// `condition`, or its negation, as `p >= q` (`p == q`, `p != q`): two affine functions of the indices with factors and
// constants that are not negative, nothing on both sides, in i32 where they fit. Null where it compares something else, or
// where one of its steps could overflow.
mlir::Value index_comparison(mlir::OpBuilder& b, fuse::CascadeOp cascade, mlir::Value condition, bool negated);

}  // namespace tessera::ir
