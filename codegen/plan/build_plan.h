#pragma once
// From a module of fuse.kernel and fuse.library ops to a Plan, and the kernels that it asks for.

#include <vector>

#include "mlir/IR/BuiltinOps.h"

#include <tessera/codegen/cpu/kernels.h>
#include <tessera/codegen/plan/plan.h>

namespace tessera::codegen {

struct Planned {
  Plan plan;
  std::vector<KernelRequest> kernels;                    // distinct, in the order of plan.kernels
  std::vector<mlir::OwningOpRef<mlir::ModuleOp>> extra;  // kernels made here live in these
};

// `module` holds one function; it must outlive the result.
Planned build_plan(mlir::ModuleOp module);

}  // namespace tessera::codegen
