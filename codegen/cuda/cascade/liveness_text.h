#pragma once
// Which blocks of a plane masks leave empty or whole (ir/plane/liveness.h), as C++ conditions on where the block lies. What
// only data decide is not known here: such blocks are computed.

#include <string>
#include <vector>

#include <tessera/ir/plane/liveness.h>

namespace tessera::cuda {

// The least and the largest index of a dim in a block, as texts and as numbers over all blocks.
struct DimRange {
  std::string low, high;
  ir::Interval all;
};

struct LivenessText {
  std::string empty, full;  // "": no block is known to be
};

// The same program where nothing of data is known.
ir::Liveness without_data(ir::Liveness blocks);

LivenessText liveness_text(const ir::Liveness& blocks, const std::vector<DimRange>& dims);

}  // namespace tessera::cuda
