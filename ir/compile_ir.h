#pragma once
// The door between core and codegen: a Program goes in, a module whose function holds only fuse.kernel, fuse.library
// and tensor.empty ops comes out. MLIR types appear here because both sides of this door are compiler folders.

#include <functional>
#include <string>
#include <vector>

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <tessera/core/program.h>
#include <tessera/ir/pipeline.h>
#include <tessera/ir/remark.h>

namespace tessera::ir {

// Loads the dialects that the pipeline needs into `context`.
void load_dialects(mlir::MLIRContext& context);

// One function `@program`, arguments and results in the order of the Program. Argument i carries
// `tsr.name = "label"`; results carry `tsr.donor = i : i64` where Program::donor says so, the
// function `tsr.strict` where every op shall round, `tsr.mixed = bf16` and `tsr.residual` under a mixed precision.
mlir::OwningOpRef<mlir::ModuleOp> import_program(mlir::MLIRContext& context, const Program& program);

// Runs the pipeline in place and says what was decided about planes and what was not fused. `on_pass(name, module)` is called after each pass that
// changed something (dumps). Throws InternalError when a pass fails: a checked Program always lowers.
std::vector<Remark> lower_to_fuse(mlir::ModuleOp module,
                                  const std::function<void(const std::string&, mlir::ModuleOp)>& on_pass = {},
                                  Planes planes = Planes::derived, OperandSums sums = OperandSums::joined,
                                  Channels channels = Channels::as_named, const MissingKernel& missing = {});

}  // namespace tessera::ir
