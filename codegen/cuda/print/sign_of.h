#pragma once
// The C++ operator of a comparison of integers; signedness is the operands' business.

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace tessera::cuda {

const char* sign_of(mlir::arith::CmpIPredicate predicate);

}  // namespace tessera::cuda
