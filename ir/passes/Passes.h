#pragma once
// Constructors and registration of the passes in Passes.td.

#include "mlir/Pass/Pass.h"

namespace tessera::ir {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include <tessera/ir/passes/Passes.h.inc>

}  // namespace tessera::ir
