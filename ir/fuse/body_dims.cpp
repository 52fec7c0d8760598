#include <tessera/ir/fuse/body_dims.h>

#include <tessera/ir/fuse/Scatter.h>

namespace tessera::fuse {

DimBits dims_of(mlir::AffineMap map) {
  DimBits bits = 0;
  for (unsigned d = 0; d < map.getNumDims(); ++d)
    if (map.isFunctionOfDim(d)) bits |= DimBits{1} << d;
  return bits;
}

DimBits dim_bits(llvm::ArrayRef<int64_t> dims) {
  DimBits bits = 0;
  for (int64_t d : dims) bits |= DimBits{1} << d;
  return bits;
}

BodyDims::BodyDims(mlir::Block& body, mlir::ArrayAttr in_maps) {
  for (auto [argument, map] : llvm::zip(body.getArguments(), in_maps))
    dims_[argument] = dims_of(llvm::cast<mlir::AffineMapAttr>(map).getValue());
  for (mlir::Operation& op : body) {
    DimBits bits = 0;
    for (mlir::Value operand : op.getOperands()) bits |= of(operand);
    if (auto index = llvm::dyn_cast<IndexOp>(op)) bits = dims_of(index.getMap());
    if (auto reduce = llvm::dyn_cast<ReduceOp>(op)) bits &= ~dim_bits(reduce.getOver());
    if (auto contract = llvm::dyn_cast<ContractOp>(op)) bits &= ~dim_bits(contract.getOver());
    if (auto sum = llvm::dyn_cast<ScatterAddOp>(op))
      bits = (bits & ~dim_bits(sum.getOver())) | DimBits{1} << sum.getDim();
    for (mlir::Value result : op.getResults()) dims_[result] = bits;
  }
}

}  // namespace tessera::fuse
