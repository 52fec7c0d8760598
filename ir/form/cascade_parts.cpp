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

AffineMap out_map(mlir::OpResult result) {
  auto cascade = llvm::cast<fuse::CascadeOp>(result.getOwner());
  return llvm::cast<mlir::AffineMapAttr>(cascade.getOutMaps()[result.getResultNumber()]).getValue();
}

Value behind_reshapes(Value part) {
  while (auto reshape = part.getDefiningOp<tsr::ReshapeOp>()) part = reshape.getX();
  return part;
}

// Where a result of a cascade is written: in a concatenation, at these offsets. None if it is a tensor of its own.
struct Target {
  tsr::ConcatOp concat;
  AffineMap map;
};
Target target_of(mlir::OpResult result) {
  llvm::ArrayRef<int64_t> extents = llvm::cast<fuse::CascadeOp>(result.getOwner()).getDims();
  Value part = part_of(result);
  Target target{{}, out_map(result)};
  for (tsr::ConcatOp concat; (concat = sole_concat(part)); part = part_of(concat.getY())) {
    const std::optional<AffineMap> moved = within(concat, part, target.map, extents);
    if (!moved) break;
    target = {concat, *moved};
    if (!is_written_as_part(concat)) break;
  }
  return target;
}

}  // namespace

bool is_written_as_part(tsr::ConcatOp concat) {
  const Value whole = part_of(concat.getY());
  tsr::ConcatOp outer = sole_concat(whole);
  return outer && llvm::all_of(concat.getParts(), [&](Value part) {
           auto result = llvm::dyn_cast<mlir::OpResult>(behind_reshapes(part));
           auto cascade = result ? llvm::dyn_cast<fuse::CascadeOp>(result.getOwner()) : fuse::CascadeOp();
           if (!cascade || part_of(result) != part) return false;
           const std::optional<AffineMap> moved = within(concat, part, out_map(result), cascade.getDims());
           return moved && within(outer, whole, *moved, cascade.getDims());
         });
}

void lower_cascade(mlir::OpBuilder& b, fuse::CascadeOp cascade, mlir::IRMapping& memory, Begun& begun) {
  llvm::SmallVector<tsr::ConcatOp, 4> concats;
  llvm::SmallVector<mlir::Type, 4> types;
  llvm::SmallVector<mlir::Attribute, 4> maps;
  llvm::SmallVector<Value, 2> inits;
  llvm::SmallVector<int64_t, 4> init_of;
  for (mlir::OpResult result : cascade->getResults()) {
    auto [concat, map] = target_of(result);
    int64_t init = -1;
    if (concat) {
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
