#pragma once
// A contraction as a kernel of the dialect `tile`: a role that copies operands, one that multiplies them and finishes the
// sums by the statements of the epilogue.

#include <string>

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <tessera/codegen/cuda/contract/epilogue.h>
#include <tessera/codegen/cuda/contract/tile_schedule.h>
#include <tessera/codegen/cuda/rows/kernel_text.h>

namespace tessera::cuda {

// A module with the one kernel, verified. Parameters and `words` as for contract_text (contract_text.h); those that the
// schedule has a map of are maps.
mlir::OwningOpRef<mlir::ModuleOp> build_tile_kernel(const Contraction& c, const TileSchedule& schedule,
                                                    const Epilogue& epilogue, KernelWords words);

// Its CUDA C++ text.
std::string tile_kernel_text(const Contraction& c, const TileSchedule& schedule, const Epilogue& epilogue,
                             KernelWords words);

}  // namespace tessera::cuda
