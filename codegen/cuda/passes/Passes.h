#pragma once
// The passes over the tile dialect; what each does stands in Passes.td.

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace tessera::cuda {

#define GEN_PASS_DECL
#include <tessera/codegen/cuda/passes/Passes.h.inc>
#define GEN_PASS_REGISTRATION
#include <tessera/codegen/cuda/passes/Passes.h.inc>

}  // namespace tessera::cuda
