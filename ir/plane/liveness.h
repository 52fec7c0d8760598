#pragma once
// From the body of a cascade to the predicate over blocks of its plane that skips what masks leave empty.

#include <tessera/ir/fuse/Fuse.h>
#include <tessera/ir/plane/liveness_eval.h>

namespace tessera::ir {

struct PlaneLiveness {
  Liveness blocks;
  // Bools of the body that choose between plane values and that a block can decide. In a full block each of them is
  // what `blocks.conditions` says it keeps; other conditions (dropout, masks in memory) stay to be evaluated.
  llvm::SmallVector<mlir::Value, 4> conditions;
};

// A mask hides what is behind it: −∞ + x is −∞ and 0 · x is 0 whatever x is read from memory, also where the definition
// would give NaN for an infinite x. A finite fill (−10⁹) hides nothing. A plane value that is yielded, and a reduction of
// something else than max, min and sum, need every block.
PlaneLiveness liveness(fuse::CascadeOp cascade);

}  // namespace tessera::ir
