#include <tessera/ir/form/cascade_parts.h>

#include "llvm/ADT/STLExtras.h"
#include "mlir/Analysis/FlatLinearValueConstraints.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace tessera::ir {

using mlir::AffineMap;
using mlir::Value;

namespace {

// The part of a concatenation that `result` is: itself, or reshapes of it, which leave elements in their order.
Value part_of(Value result) {
  while (result.hasOneUse()) {
    auto reshape = llvm::dyn_cast<tsr::ReshapeOp>(*result.user_begin());
    if (!reshape) break;
    result = reshape.getY();
  }
  return result;
}

// Where the elements at offsets `map` of a part lie in all of a concatenation; nothing if they are not told linearly.
std::optional<AffineMap> within(tsr::ConcatOp concat, Value part, AffineMap map, llvm::ArrayRef<int64_t> extents) {
  llvm::SmallVector<int64_t> by;  // per dim, then the constant
  if (mlir::failed(mlir::getFlattenedAffineExpr(map.getResult(0), map.getNumDims(), 0, &by)) ||
      by.size() != map.getNumDims() + 1)
    return {};
  const auto dim = static_cast<size_t>(concat.getDim());
  int64_t inner = 1;  // elements of one index along `dim`
  for (int64_t n : tsr::shape_of(part).drop_front(dim + 1)) inner *= n;
  const int64_t here = inner * tsr::shape_of(part)[dim], all = inner * tsr::shape_of(concat.getY())[dim];
  // Whole parts become whole tensors; what stays within one stays.
  int64_t reach = by.back();
  mlir::MLIRContext* context = map.getContext();
  mlir::AffineExpr sum = mlir::getAffineConstantExpr(by.back() + start_of_part(concat, part) * inner, context);
  for (unsigned d = 0; d < map.getNumDims(); ++d) {
    const bool whole = by[d] % here == 0;
    if (by[d] < 0) return {};
    if (!whole) reach += by[d] * (extents[d] - 1);
    sum = sum + mlir::getAffineDimExpr(d, context) * (whole ? by[d] / here * all : by[d]);
  }
  if (reach >= here) return {};
  return AffineMap::get(map.getNumDims(), 0, sum);
}

}  // namespace

void lower_cascade(mlir::OpBuilder& b, fuse::CascadeOp cascade, mlir::IRMapping& memory, Begun& begun) {
  llvm::SmallVector<tsr::ConcatOp, 4> concats;
  llvm::SmallVector<mlir::Type, 4> types;
  llvm::SmallVector<mlir::Attribute, 4> maps;
  llvm::SmallVector<Value, 2> inits;
  llvm::SmallVector<int64_t, 4> init_of;
  for (auto [k, result] : llvm::enumerate(cascade.getResults())) {
    AffineMap map = llvm::cast<mlir::AffineMapAttr>(cascade.getOutMaps()[k]).getValue();
    const Value part = part_of(result);
    tsr::ConcatOp concat = sole_concat(part);
    const std::optional<AffineMap> moved =
        concat ? within(concat, part, map, cascade.getDims()) : std::optional<AffineMap>();
    if (!moved) concat = {};
    int64_t init = -1;
    if (concat) {
      map = *moved;
      const auto same = llvm::find(llvm::reverse(concats), concat);  // the last result that is a part of it
      if (same != concats.rend()) {
        init = -2 - (concats.rend() - same - 1);
      } else {
        Value& whole = begun[concat];
        if (!whole)
          whole = mlir::tensor::EmptyOp::create(b, concat.getLoc(), tsr::type_of(concat.getY()), mlir::ValueRange());
        init = static_cast<int64_t>(inits.size());
        inits.push_back(whole);
      }
    }
    concats.push_back(concat);
    types.push_back(concat ? concat.getY().getType() : result.getType());
    maps.push_back(mlir::AffineMapAttr::get(map));
    init_of.push_back(init);
  }
  llvm::SmallVector<Value, 8> inputs;
  for (Value input : cascade.getInputs()) inputs.push_back(memory.lookup(input));
  auto made = fuse::CascadeOp::create(
      b, cascade.getLoc(), types, cascade.getNameAttr(), cascade.getDimsAttr(), cascade.getBatchAttr(),
      cascade.getStreamAttr(), inputs, cascade.getInMapsAttr(), inits,
      inits.empty() ? mlir::DenseI64ArrayAttr() : b.getDenseI64ArrayAttr(init_of), b.getArrayAttr(maps));
  mlir::IRMapping inside;
  cascade.getBody().cloneInto(&made.getBody(), inside);
  for (auto [concat, result, tensor] : llvm::zip(concats, cascade.getResults(), made.getResults())) {
    if (concat) begun[concat] = tensor;
    else memory.map(result, tensor);
  }
}

}  // namespace tessera::ir
