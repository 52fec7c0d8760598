#pragma once
// Which kernels a plane becomes. A kernel owns rows and streams over columns, or the other way round. A value on the
// rows (a statistic, an accumulation) needs all columns, so it is complete only when a kernel that owns rows has ended:
// a kernel that owns columns, or one that needs the complete value before it can go on, runs in a later *sweep*.
//
//   attention   sweep 0, rows:     o, lse
//               sweep 1, rows:     dq            columns: dk, dv       (they need do, which needs o)

#include <vector>

#include <tessera/ir/plane/plane.h>

namespace tessera::ir {

struct PlaneKernel {
  Side side = Side::row;  // what it owns
  int sweep = 0;
  llvm::SmallVector<mlir::Value, 4> outputs;  // results of members, in program order
  std::vector<mlir::Operation*> members;      // computed in it, in program order
};

using Values = llvm::DenseSet<mlir::Value>;

// In an order in which they can run. A kernel reads what another one makes from memory. Statistics in `stored` lie in
// memory before anything that depends on them is computed. As few as there can be: a gradient that nobody waits for may be
// made later than it could, and what follows from statistics point by point be computed again, if that saves a kernel.
std::vector<PlaneKernel> plan_kernels(const Plane& plane, const FreeOps& free, const Values& stored);

// Does anybody read this value of a member, perhaps through free ops, who is no member? It is an output of a kernel then.
bool is_read_outside(const Plane& plane, const FreeOps& free, mlir::Value value);

// The side that a statistic, an accumulation, or what is computed from those alone lies on; of a softmax the side of
// its statistics.
Side side_of(const Plane& plane, mlir::Operation* member);

}  // namespace tessera::ir
