#pragma once
// Which ops share a kernel: a greedy walk in program order joins each op to the groups of its operands while one
// iteration space exists and no other kernel would have to run in between.

#include <string>
#include <vector>

#include "mlir/IR/Block.h"

#include <tessera/ir/form/free_ops.h>
#include <tessera/ir/form/space.h>

namespace tessera::ir {

struct Group {
  std::vector<mlir::Operation*> ops;  // in program order; one op that stands alone, or ops with a space
  Space space;                        // not of an op that stands alone
};

// An op and one that it reads in another group, with the reason why they do not share one.
struct Apart {
  mlir::Operation *consumer, *producer;
  std::string reason;
};

struct Partitioned {
  std::vector<Group> groups;  // in an order in which each finds its operands ready
  std::vector<Apart> apart;   // one pair of ops for each pair of groups
};

// May store more values in `free`. With `fuse` off every op is a group of its own.
Partitioned partition(mlir::Block& block, FreeOps& free, bool fuse);

}  // namespace tessera::ir
