#pragma once
// From the body of a cascade to the program over blocks that skips what its masks hide (liveness.h).

#include <optional>

#include <tessera/ir/fuse/Fuse.h>
#include <tessera/ir/plane/liveness.h>

namespace tessera::ir {

struct FoundLiveness {
  Liveness blocks;
  // In a full block these bools of the body are known: what masks select by, and the side that they keep.
  llvm::SmallVector<std::pair<mlir::Value, bool>, 4> conditions;
};

// A mask hides what is behind it: −∞ + x is −∞ and 0 · x is 0 for every x, also where x is infinite or no number. A finite
// fill (−10⁹) hides where the maximum of its row is far above it: of this kernel as far as the stream has come, so what comes
// before all that is seen is computed, or from memory. A block that is written as a result, and what is
// combined otherwise than by max, min and sum, needs every block.
FoundLiveness find_liveness(fuse::CascadeOp cascade);

// Blocks of 64 by 64 of one batch point's plane, and how many of them are empty: about what a machine computes and skips.
// Nothing if no mask hides any, if data say, or if there are too many to count.
struct BlockCount {
  int64_t all = 0, empty = 0;
};
std::optional<BlockCount> count_blocks(fuse::CascadeOp cascade, const Liveness& blocks);

}  // namespace tessera::ir
