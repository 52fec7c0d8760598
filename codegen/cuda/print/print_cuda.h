#pragma once
// The CUDA C++ text of a tile kernel: one statement per op, names from locations. The same kernel gives the same text.

#include <string>

#include "mlir/Support/LLVM.h"

#include <tessera/codegen/cuda/tile/Tile.h>

namespace tessera::cuda {

// A hint, as an attribute of tile.finish: the results that it sends leave L2 before what else is there.
inline constexpr llvm::StringLiteral evict_first = "tile.evict_first";

// Emits an error at the op that has no spelling, or whose operand is used after it was changed in place.
mlir::FailureOr<std::string> print_cuda(tile::KernelOp kernel);

}  // namespace tessera::cuda
