#pragma once
// What a warpgroup of a role does to channels, in order. Roles branch on integers alone, so with the kernel's integers
// given each is one fixed sequence of events.

#include <vector>

#include "mlir/Support/LLVM.h"

#include <tessera/codegen/cuda/tile/Tile.h>

namespace tessera::tile {

struct SlotRead {
  int channel = -1;
  int64_t number = 0;  // the how manieth buffer that was handed through the channel
  // Of a tile that is picked by a number: which one of which array. The buffer is the one that is held meanwhile.
  mlir::Value array = {};
  int64_t picked = 0;

  bool operator==(const SlotRead&) const = default;
};

struct Event {
  enum class Kind { put, get, release, skip, drain, load, mma, wait_mma, add_halves, turn_wait, turn_pass };
  Kind kind;
  mlir::Operation* op;
  int channel = -1;     // of put, get, release, skip, drain: the kernel's how manieth channel
  int64_t pending = 0;  // of wait_mma; how many, of skip
  // Of mma: the slots that its tiles lie in; of a load of a picked tile, which alone is an event: it.
  std::vector<SlotRead> reads = {};

  bool operator==(const Event&) const = default;
};

// Which warpgroup of a role, in which block of which cluster. A loop over tiles takes all of them.
struct Traced {
  int64_t index, rank, cluster;
};

// For these values of the kernel's i32 arguments in order. Emits an error where a tile is used that no slot of its channel was
// got for, or where an op cannot be followed.
mlir::FailureOr<std::vector<Event>> trace_role(KernelOp kernel, RoleOp role, const Traced& where,
                                               llvm::ArrayRef<int64_t> arguments);

}  // namespace tessera::tile
