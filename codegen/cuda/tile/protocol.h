#pragma once
// Whether the roles of a kernel come to their end, and hand every buffer back.
//
// What a role does never depends on how fast the others are: it waits in channels alone, and each of those has one
// writer. So all orders of execution end alike, and letting every role run as far as it comes finds a deadlock if there
// is one. Blocks of a cluster do the same (R9), so one stands for all: what halves of sums are added to, the other block
// comes to as well.

#include "mlir/Support/LLVM.h"

#include <tessera/codegen/cuda/tile/Tile.h>

namespace tessera::tile {

// For these values of the kernel's i32 arguments, in each cluster of a kernel that says how many there are (tile.cluster_index);
// else in one that has all tiles. Emits an error at the op that breaks the protocol:
//   (R1) a channel has one writing warpgroup, and as many reading ones as it says;
//   (R2) a role waits for ever;
//   (R3) a buffer is released that is not held, or that a product still reads;
//   (R4) a product reads a buffer that is not held, or was not handed over;
//   (R5) a role ends and a buffer was not read, or not released;
//   (R6) a turn is passed on twice;
//   (R7) a role that went past buffers waits for one before it is told that its place was filled the time before: a wait
//        tells even rounds from odd ones, and no more;
//   (R8) sums are sent to where some lay before: nobody says that those were read;
//   (R9) a block of a cluster does something else than the first one;
//   (R10) a block may end while others of its cluster say that they have read what it brought;
//   (R11) a tile that is picked by a number was never loaded when it is read, or who reads it does not know the buffer full
//         that came with it, or it is loaded while it may still be read: the put before a load waits for who reads the buffer
//         that is the channel's depth before its own, or one before that.
mlir::LogicalResult verify_protocol(KernelOp kernel, llvm::ArrayRef<int64_t> arguments);

}  // namespace tessera::tile
