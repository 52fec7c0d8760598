#pragma once
// Row kernels: a fuse.kernel without a contraction as loops over vectors.

#include <string>

#include "mlir/IR/BuiltinOps.h"

#include <tessera/codegen/cpu/launch.h>

namespace tessera::codegen {

// Appends `llvm.func @symbol(arguments, params, task, scratch)` to `module`, for the class of `form`.
void emit_rows(mlir::ModuleOp module, const std::string& symbol, const Form& form, const Stages& stages, int lanes);

}  // namespace tessera::codegen
