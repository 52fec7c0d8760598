#pragma once
// Which ops share a kernel: a greedy walk in program order joins each op to the groups of its operands while one
// iteration space exists and no other kernel would have to run in between.

#include <vector>

#include "mlir/IR/Block.h"

#include <tessera/ir/form/free_ops.h>
#include <tessera/ir/form/space.h>

namespace tessera::ir {

struct Group {
  std::vector<mlir::Operation*> ops;  // in program order; one op that stands alone, or ops with a space
  Space space;                        // not of an op that stands alone
};

// Groups in an order in which each finds its operands ready. May store more values in `free`. With `fuse` off every op
// is a group of its own.
std::vector<Group> partition(mlir::Block& block, FreeOps& free, bool fuse);

}  // namespace tessera::ir
