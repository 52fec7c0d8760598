#pragma once
// One body op at one point, or at `lanes` points: operands are scalars or vectors, and so is the result.

#include <tessera/codegen/cpu/code.h>

namespace tessera::codegen {

// Elementwise ops of arith and math. Integer division by zero gives 0 and never traps; float to integer saturates.
// Throws InternalError for an op that has no meaning at a point.
Value emit_point(Code& code, mlir::Operation* op, llvm::ArrayRef<Value> operands);

// Between any two float types; values of bf16 and f8 are bits.
Value convert_float(Code& code, Value value, Type from, Type to);

enum class Combine { sum, max, min, prod };
Combine combine_of(mlir::Operation* reduce);  // a fuse.reduce
Value combine(Code& code, Combine how, Value x, Value y);
Value identity_of(Code& code, Combine how, Type type);      // scalar or vector type
Value across_lanes(Code& code, Combine how, Value vector);  // halves meet halves: a fixed order

}  // namespace tessera::codegen
