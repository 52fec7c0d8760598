#pragma once
// Operand sums: beside a contraction, what one of its operands adds up to over the same dims. A bias gets its gradient
// like that from the kernel that makes the gradient of the weight.

#include <tessera/ir/fuse/Fuse.h>

namespace tessera::fuse {

// What a value is before it is widened.
mlir::Value before_widening(mlir::Value value);

// (C5) of `kernel`, whose contraction is `contract`.
mlir::LogicalResult verify_operand_sums(KernelOp kernel, ContractOp contract);

}  // namespace tessera::fuse
