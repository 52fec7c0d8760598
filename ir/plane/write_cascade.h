#pragma once
// A kernel of a plane, written as a fuse.cascade among the tsr ops that it reads.

#include "mlir/IR/IRMapping.h"

#include <tessera/ir/fuse/Fuse.h>
#include <tessera/ir/plane/sweeps.h>

namespace tessera::ir {

struct WrittenCascade {
  fuse::CascadeOp op;
  llvm::DenseMap<mlir::Operation*, mlir::Value> sources;  // op of the body → the value that it computes
};

// By definition, before repairs. `memory` maps results of earlier kernels to what they wrote. The op stands at the end
// of the block, before the terminator.
WrittenCascade write_cascade(mlir::OpBuilder& b, const Plane& plane, const PlaneKernel& kernel, const FreeOps& free,
                             const mlir::IRMapping& memory);

}  // namespace tessera::ir
