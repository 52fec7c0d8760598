#pragma once
// From a module of fuse ops to something that runs.

#include <memory>
#include <vector>

#include "mlir/IR/BuiltinOps.h"

#include <tessera/codegen/cpu/kernels.h>
#include <tessera/codegen/executor/run_plan.h>

namespace tessera::codegen {

// Loads what emitting and lowering kernels needs, and the fuse dialect itself.
void load_fuse_dialects(mlir::MLIRContext& context);

// Plans and compiles. `texts`, if given, receives the texts of every kernel; `name` and `remarks` go into the plan.
std::unique_ptr<PlanRunner> compile_fuse(mlir::ModuleOp module, std::vector<KernelTexts>* texts = nullptr,
                                         const std::string& name = "program", std::vector<ir::Remark> remarks = {});

}  // namespace tessera::codegen
