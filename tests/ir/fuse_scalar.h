#pragma once
// What one op of a kernel's body makes of scalars: reals in double and rounded to their type, integers sign-extended.

#include <cstdint>

#include "mlir/IR/Operation.h"

#include <tessera/core/dtype.h>

namespace tessera::testing {

DType dtype_of_element(mlir::Type element);
int64_t wrapped(int64_t x, unsigned width);

// Operand i is `x[i]` where it is real, else `n[i]`.
double real_result(mlir::Operation* op, const double* x, const int64_t* n);
int64_t whole_result(mlir::Operation* op, const double* x, const int64_t* n);

}  // namespace tessera::testing
