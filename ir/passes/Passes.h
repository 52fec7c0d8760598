#pragma once
// Constructors and registration of the passes in Passes.td.

#include "mlir/Pass/Pass.h"

#include <tessera/ir/pipeline.h>

namespace tessera::ir {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include <tessera/ir/passes/Passes.h.inc>

std::unique_ptr<mlir::Pass> createDerivePlanes(MissingKernel missing);

}  // namespace tessera::ir
