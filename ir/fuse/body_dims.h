#pragma once
// Which dims of a kernel each value of its body depends on.

#include <cstdint>

#include "llvm/ADT/DenseMap.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Block.h"
#include "mlir/IR/BuiltinAttributes.h"

namespace tessera::fuse {

using DimBits = uint32_t;  // bit d: dim d

class BodyDims {
 public:
  // `in_maps`: of the kernel that `body` belongs to.
  BodyDims(mlir::Block& body, mlir::ArrayAttr in_maps);

  DimBits of(mlir::Value value) const { return dims_.lookup(value); }

 private:
  llvm::DenseMap<mlir::Value, DimBits> dims_;
};

DimBits dims_of(mlir::AffineMap map);
DimBits dim_bits(llvm::ArrayRef<int64_t> dims);

}  // namespace tessera::fuse
