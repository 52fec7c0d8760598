#pragma once
// Ops that are no part of a group: several kernels over one result, or a library call.

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

#include <tessera/ir/form/free_ops.h>

namespace tessera::ir {

// The tensor that holds the result of `op`, an op that stands alone.
mlir::Value lower_alone(mlir::OpBuilder& b, mlir::Operation* op, const FreeOps& free, const mlir::IRMapping& memory);

// One kernel that fills a tensor of `type` with a number.
mlir::Value fill(mlir::OpBuilder& b, mlir::Location at, mlir::RankedTensorType type, double value);

}  // namespace tessera::ir
