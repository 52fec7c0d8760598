#pragma once
// Runs a tile kernel on the processor, tile by tile: what it computes, in an order of execution drawn from a seed.
//
// What the machine leaves open is left to chance. Boxes land at any time between the put that asked for them and the get
// that waits for them; a product reads its tiles at any time between issue and wait; roles and the blocks of a cluster
// interleave. A buffer is poisoned with NaN when it is given to the writer. So what only works by luck differs from run
// to run, or is NaN.

#include <functional>
#include <variant>
#include <vector>

#include "mlir/Support/LLVM.h"

#include <tessera/codegen/cuda/tile/Tile.h>

namespace tessera::tile {

struct GlobalTensor {
  std::vector<int64_t> extents;  // outermost first
  std::vector<float> values;     // bf16 tensors hold rounded values
};

using Argument = std::variant<int64_t, float, GlobalTensor*>;  // i32, f32, a map or a pointer

// The sums of a fragment that a tile.finish was given: 64 rows of `columns`, and where its first one is.
struct Finished {
  int64_t columns = 0;
  const std::vector<float>& sums;
  llvm::SmallVector<int64_t> at;  // coordinates, innermost first
};

struct Execution {
  uint64_t seed = 0;
  int64_t blocks = 1;                                // a multiple of the cluster
  std::function<void(const Finished&)> finish = {};  // what a tile.finish does: its statements are text
};

// Emits an error at an op that reads or writes out of bounds, or where all roles wait for each other.
mlir::LogicalResult interpret(KernelOp kernel, llvm::ArrayRef<Argument> arguments, const Execution& execution);

}  // namespace tessera::tile
