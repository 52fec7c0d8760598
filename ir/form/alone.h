#pragma once
// Ops that are no part of a group: several kernels over one result, or a library call.

#include "llvm/ADT/DenseMap.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

#include <tessera/ir/form/free_ops.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {

// Results of concatenations that kernels have begun to write, part by part.
using Begun = llvm::DenseMap<mlir::Operation*, mlir::Value>;

// The concatenation that alone reads `value`; null if there is none. Its kernel then writes it in place.
tsr::ConcatOp sole_concat(mlir::Value value);
// Where a part starts along the dim of the concatenation.
int64_t start_of_part(tsr::ConcatOp concat, mlir::Value part);

// The tensor that holds the result of `op`, an op that stands alone.
mlir::Value lower_alone(mlir::OpBuilder& b, mlir::Operation* op, const FreeOps& free, const mlir::IRMapping& memory,
                        const Begun& begun);

// One kernel that fills a tensor of `type` with a number.
mlir::Value fill(mlir::OpBuilder& b, mlir::Location at, mlir::RankedTensorType type, double value);

}  // namespace tessera::ir
