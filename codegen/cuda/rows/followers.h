#pragma once
// A pointwise kernel that reads a sum over all rows and nothing else becomes part of the kernel that sums: a mean, a gradient
// in its own dtype. Who adds up the parts of the sum writes what it comes to, and a launch is saved.
//
// A column reduction is then more than yielded (FuseOps.td, C4): what follows it are ops on its value and constants alone.

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tessera::cuda {

void take_in_followers(mlir::func::FuncOp function);

}  // namespace tessera::cuda
