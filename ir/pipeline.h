#pragma once
// The order of passes from tsr to fuse, one per line with its reason in pipeline.cpp.

#include <functional>
#include <string>

namespace mlir {
class OpPassManager;
}

namespace tessera::fuse {
class CascadeOp;
}

namespace tessera::ir {

// What becomes of planes: cascades, or values in memory between contractions and row kernels.
enum class Planes { derived, in_memory };

// What a target has no kernel for, of a cascade; "" if it has one. A plane with such a cascade lies in memory, as a remark says.
// A target that has no kernel for some computes no operands where they are read: they would be computed by nobody then.
using MissingKernel = std::function<std::string(fuse::CascadeOp)>;

// Whether contractions sum what they read for others, or kernels of their own do, for a target that cannot.
enum class OperandSums { joined, apart };

// How values lie in memory: as the user orders their dims, or with the channels of pictures innermost, for a target whose
// convolutions read them so.
enum class Channels { as_named, innermost };

void build_pipeline(mlir::OpPassManager& passes, Planes planes = Planes::derived,
                    OperandSums sums = OperandSums::joined, Channels channels = Channels::as_named,
                    const MissingKernel& missing = {});
void register_passes();  // each pass and the pipeline "tsr-to-fuse" by name: for tessera-opt

}  // namespace tessera::ir
