#pragma once
// Cascades whose results are parts of concatenations: they write them there. So the gradients of q, k and v become the
// gradient of what packs them without being copied, and so do halves of gradients of what was rotated: those join to what
// is a part in its turn.

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

#include <tessera/ir/form/alone.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::ir {

// Clones the cascade to where `b` stands, with operands from `memory`, and notes there what holds its results. Parts of
// concatenations go into `begun` instead.
void lower_cascade(mlir::OpBuilder& b, fuse::CascadeOp cascade, mlir::IRMapping& memory, Begun& begun);

// Is all of it written by cascades into another concatenation, of which it is a part? It has no tensor of its own then.
bool is_written_as_part(tsr::ConcatOp concat);

}  // namespace tessera::ir
