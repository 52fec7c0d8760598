#pragma once
// An operand of a contraction that is read beyond its ends, where it counts as zero: what a padding is to whoever brings
// boxes that may reach over an edge. Then the padded tensor need not lie in memory.
//
// In the IR of the CUDA leg such an operand is the tensor without the padding. Its access map may point outside, and an
// attribute of the kernel says which elements there are.

#include <functional>
#include <optional>
#include <vector>

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <tessera/ir/fuse/Fuse.h>

namespace tessera::cuda {

// One dim of a tensor in memory, and the coordinate that the point 0 of a kernel has in it: below zero in a padding.
struct BoundedDim {
  int64_t extent = 1, stride = 1, first = 0;
};

struct Bounds {
  int64_t origin = 0;            // the element with all coordinates 0
  std::vector<BoundedDim> dims;  // descending strides
};

// Of an operand that is read beyond its ends.
std::optional<Bounds> bounds_of(fuse::KernelOp kernel, unsigned input);

// Of any other, by the shape of the tensor that lies there: the point 0 is at element `base`.
Bounds bounds_of_shape(llvm::ArrayRef<int64_t> shape, int64_t base);

// Lets contractions read tensors instead of their paddings with zeros, where `can` says of the changed kernel that it has
// a schedule for that. What nobody reads any more goes.
void read_beyond_ends(mlir::func::FuncOp function, const std::function<bool(fuse::KernelOp)>& can);

}  // namespace tessera::cuda
