#pragma once
// Cascades: a fuse.cascade as a driver over generated code. Products of a tile of rows with a block of columns go
// through packed panels and a micro-kernel, everything else through row kernels (cascade_pieces.h); nothing of the
// plane's size is ever in memory. Cut by shape alone, so the bits are the same on any number of threads.

#include <cstdint>
#include <memory>
#include <vector>

#include "mlir/IR/Block.h"

#include <tessera/codegen/cpu/kernels.h>
#include <tessera/codegen/cpu/target.h>

namespace tessera::fuse {
class CascadeOp;
}

namespace tessera::codegen {

// A kernel and how it is launched. Its arguments are: inputs, results, `table`, a workspace if there is one, error words.
// Where there is a second launch of the same kernel, `merging`, it follows the first.
struct CascadeLaunch {
  KernelRequest kernel;
  std::vector<KernelRequest> shared;  // code that many kernels call; to be linked before `kernel`
  std::vector<int64_t> parameters, merging, table;
  int64_t tasks = 0, merging_tasks = 0;
  int64_t scratch = 0, workspace = 0;  // bytes, per thread and in all
  std::vector<mlir::Block*> bodies;    // of the pieces, which report indices one after the other; `kernel` owns them
};

// Throws InternalError for what the op's constraints let pass and no single stream can compute.
CascadeLaunch lower_cascade(fuse::CascadeOp cascade, const Target& target);

}  // namespace tessera::codegen
