#include <tessera/codegen/cuda/rows/lift.h>

#include <algorithm>

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

#include <tessera/ir/fuse/body_dims.h>

namespace tessera::cuda {

using mlir::AffineExpr;
using mlir::AffineMap;

namespace {

constexpr int64_t few_blocks = 132, enough_blocks = 1056;  // for a card of about 130 multiprocessors
constexpr int64_t enough_elements = 8192;                  // of a part

mlir::Value placeholder(mlir::OpBuilder& b, mlir::Location loc, mlir::Type type) {
  auto tensor = mlir::cast<mlir::RankedTensorType>(type);
  return mlir::tensor::EmptyOp::create(b, loc, tensor.getShape(), tensor.getElementType());
}

// Row-major over `dims` of a kernel with `count` dims.
AffineMap dense(mlir::MLIRContext* context, const std::vector<int64_t>& dims, mlir::ArrayRef<int64_t> extents,
                size_t count) {
  AffineExpr at = mlir::getAffineConstantExpr(0, context);
  for (int64_t d : dims)
    at = at * extents[static_cast<size_t>(d)] + mlir::getAffineDimExpr(static_cast<unsigned>(d), context);
  return AffineMap::get(static_cast<unsigned>(count), 0, at, context);
}

// `map` in terms of other dims.
AffineMap in_dims(AffineMap map, mlir::ArrayRef<AffineExpr> of_dim, size_t count) {
  if (map.getNumDims() == 0) return map;  // of a whole tensor
  return map.replaceDimsAndSymbols(of_dim, {}, static_cast<unsigned>(count), 0);
}

void drop_dead(mlir::Block& body) {
  for (mlir::Operation& op : llvm::make_early_inc_range(llvm::reverse(body)))
    if (op.use_empty() && &op != body.getTerminator()) op.erase();
}

void put_index_maps(mlir::Block& body, mlir::ArrayRef<AffineExpr> of_dim, size_t count) {
  for (auto index : body.getOps<fuse::IndexOp>())
    index.setMapAttr(mlir::AffineMapAttr::get(in_dims(index.getMap(), of_dim, count)));
}

std::vector<int64_t> inputs_in_use(mlir::Block& body) {
  std::vector<int64_t> used;
  for (mlir::BlockArgument argument : body.getArguments())
    if (!argument.use_empty()) used.push_back(argument.getArgNumber());
  return used;
}

// A kernel with a copy of `from`'s body up to `value`, which is all that it yields. `of_dim`: dims of `from` in terms of
// the new ones.
fuse::KernelOp kernel_of_value(fuse::KernelOp from, mlir::Operation* value, const std::string& name,
                               const std::vector<int64_t>& dims, int64_t outer, mlir::ArrayRef<AffineExpr> of_dim,
                               mlir::Type result, AffineMap out, mlir::Block& place, std::vector<unsigned>& inputs) {
  mlir::OpBuilder b(from.getContext());
  b.setInsertionPointToEnd(&place);
  mlir::Region copy;
  mlir::IRMapping mapping;
  from.getBody().cloneInto(&copy, mapping);
  mlir::Block& body = copy.front();
  body.getTerminator()->setOperands({mapping.lookup(value->getResult(0))});
  drop_dead(body);
  put_index_maps(body, of_dim, dims.size());
  std::vector<mlir::Value> sources;
  std::vector<AffineMap> maps;
  llvm::BitVector unused(body.getNumArguments(), true);
  for (int64_t k : inputs_in_use(body)) {
    const auto i = static_cast<unsigned>(k);
    unused.reset(i);
    inputs.push_back(i);
    sources.push_back(placeholder(b, from.getLoc(), from.getInputs()[i].getType()));
    maps.push_back(in_dims(mlir::cast<mlir::AffineMapAttr>(from.getInMaps()[i]).getValue(), of_dim, dims.size()));
  }
  body.eraseArguments(unused);
  auto made = fuse::KernelOp::create(b, from.getLoc(), mlir::TypeRange{result}, b.getStringAttr(name),
                                     b.getDenseI64ArrayAttr(dims), b.getI64IntegerAttr(outer), sources,
                                     b.getAffineMapArrayAttr(maps), mlir::ValueRange{}, mlir::DenseI64ArrayAttr(),
                                     b.getAffineMapArrayAttr({out}));
  made.getBody().takeBody(copy);
  return made;
}

fuse::ReduceOp only_reduce(fuse::KernelOp kernel) { return *kernel.getBody().getOps<fuse::ReduceOp>().begin(); }

}  // namespace

Lifted lift_reduction(fuse::KernelOp kernel, mlir::Block& place, std::vector<unsigned>& left) {
  mlir::MLIRContext* context = kernel.getContext();
  mlir::Block& body = kernel.getBody().front();
  fuse::ReduceOp reduce = only_reduce(kernel);
  const fuse::DimBits value_dims = fuse::BodyDims(body, kernel.getInMaps()).of(reduce.getValue());
  std::vector<int64_t> kept, order;
  for (int64_t d = 0; d < static_cast<int64_t>(kernel.getDims().size()); ++d)
    if ((value_dims >> d & 1) != 0 && !llvm::is_contained(reduce.getOver(), d)) kept.push_back(d);
  order = kept;
  order.insert(order.end(), reduce.getOver().begin(), reduce.getOver().end());
  std::vector<AffineExpr> of_dim(kernel.getDims().size(), mlir::getAffineConstantExpr(0, context));
  std::vector<int64_t> dims, over, shape, places;
  for (auto [at, d] : llvm::enumerate(order)) {
    of_dim[static_cast<size_t>(d)] = mlir::getAffineDimExpr(static_cast<unsigned>(at), context);
    dims.push_back(kernel.getDims()[static_cast<size_t>(d)]);
    (at < kept.size() ? places : over).push_back(static_cast<int64_t>(at));
    if (at < kept.size()) shape.push_back(dims.back());
  }
  auto type = mlir::RankedTensorType::get(shape, reduce.getType());
  Lifted lifted;
  lifted.kernel =
      kernel_of_value(kernel, reduce, kernel.getName().str() + "_sum", dims, static_cast<int64_t>(kept.size()), of_dim,
                      type, dense(context, places, dims, dims.size()), place, lifted.inputs);
  only_reduce(lifted.kernel).setOver(over);

  // What is left reads the result.
  mlir::OpBuilder b(kernel);
  std::vector<mlir::Attribute> maps(kernel.getInMaps().begin(), kernel.getInMaps().end());
  maps.push_back(mlir::AffineMapAttr::get(dense(context, kept, kernel.getDims(), kernel.getDims().size())));
  kernel.getInputsMutable().append(placeholder(b, kernel.getLoc(), type));
  reduce.replaceAllUsesWith(body.addArgument(reduce.getType(), reduce.getLoc()));
  drop_dead(body);
  for (unsigned k = body.getNumArguments() - 1; k-- > 0;) {
    if (!body.getArgument(k).use_empty()) {
      left.insert(left.begin(), k);
      continue;
    }
    body.eraseArgument(k);
    kernel.getInputsMutable().erase(k);
    maps.erase(maps.begin() + k);
  }
  kernel.setInMapsAttr(b.getArrayAttr(maps));
  // Nothing walks dims any more that no result has. One may have a dim that its value is equal along.
  fuse::DimBits walked = 0;
  const fuse::BodyDims of_body(body, kernel.getInMaps());
  for (mlir::Value value : body.getTerminator()->getOperands()) walked |= of_body.of(value);
  for (auto other : body.getOps<fuse::ReduceOp>()) {
    walked |= of_body.of(other.getValue());
    for (int64_t d : other.getOver()) walked |= fuse::DimBits{1} << d;
  }
  for (auto map : kernel.getOutMaps().getAsValueRange<mlir::AffineMapAttr>())
    for (unsigned d = 0; d < map.getNumDims(); ++d)
      if (map.isFunctionOfDim(d)) walked |= fuse::DimBits{1} << d;
  std::vector<int64_t> extents(kernel.getDims().begin(), kernel.getDims().end());
  for (size_t d = 0; d < extents.size(); ++d)
    if ((walked >> d & 1) == 0) extents[d] = 1;
  kernel.setDims(extents);
  return lifted;
}

bool is_plain_reduction(fuse::KernelOp kernel) {
  auto reduces = kernel.getBody().getOps<fuse::ReduceOp>();
  mlir::Operation* yield = kernel.getBody().front().getTerminator();
  return std::distance(reduces.begin(), reduces.end()) == 1 && yield->getNumOperands() == 1 &&
         yield->getOperand(0) == only_reduce(kernel).getResult() && kernel.getInits().empty() &&
         only_reduce(kernel).getOver().size() == kernel.getDims().size() - kernel.getOuter() &&
         llvm::all_of(only_reduce(kernel).getOver(),
                      [&](int64_t d) { return d >= static_cast<int64_t>(kernel.getOuter()); });
}

int64_t parts_of_row(fuse::KernelOp kernel, int64_t blocks) {
  if (blocks >= few_blocks) return 1;
  int64_t columns = 1, longest = 1;
  for (int64_t extent : kernel.getDims().drop_front(kernel.getOuter())) {
    columns *= extent;
    longest = std::max(longest, extent);
  }
  int64_t parts = std::min({enough_blocks / std::max<int64_t>(1, blocks), columns / enough_elements, longest});
  while (parts > 1 && longest % parts != 0) --parts;
  return std::max<int64_t>(1, parts);
}

Parts split_rows(fuse::KernelOp kernel, int64_t parts, mlir::Block& place) {
  mlir::MLIRContext* context = kernel.getContext();
  mlir::OpBuilder b(context);
  const auto outer = static_cast<int64_t>(kernel.getOuter());
  fuse::ReduceOp reduce = only_reduce(kernel);
  const auto longest =
      std::max_element(kernel.getDims().begin() + outer, kernel.getDims().end()) - kernel.getDims().begin();
  std::vector<int64_t> dims, over, kept, shape;
  std::vector<AffineExpr> of_dim;
  for (int64_t d = 0; d < static_cast<int64_t>(kernel.getDims().size()); ++d) {
    if (d == outer) kept.push_back(d), dims.push_back(parts);
    if (d < outer) kept.push_back(d);
    else over.push_back(static_cast<int64_t>(dims.size()));
    AffineExpr here = mlir::getAffineDimExpr(static_cast<unsigned>(dims.size()), context);
    const int64_t extent = kernel.getDims()[static_cast<size_t>(d)], each = d == longest ? extent / parts : extent;
    if (d == longest) here = mlir::getAffineDimExpr(static_cast<unsigned>(outer), context) * each + here;
    of_dim.push_back(here);
    dims.push_back(each);
  }
  for (int64_t d : kept) shape.push_back(dims[static_cast<size_t>(d)]);
  auto type = mlir::RankedTensorType::get(shape, reduce.getType());
  const AffineMap at = dense(context, kept, dims, dims.size());
  Parts made;
  made.each = kernel_of_value(kernel, reduce, kernel.getName().str() + "_part", dims, outer + 1, of_dim, type, at,
                              place, made.inputs);
  only_reduce(made.each).setOver(over);

  std::vector<int64_t> few(shape);  // of the second kernel: the kept dims, and the parts
  b.setInsertionPointToEnd(&place);
  const auto out = mlir::cast<mlir::AffineMapAttr>(kernel.getOutMaps()[0]).getValue();
  made.all = fuse::KernelOp::create(
      b, kernel.getLoc(), mlir::TypeRange{kernel.getResult(0).getType()},
      b.getStringAttr(kernel.getName().str() + "_parts"), b.getDenseI64ArrayAttr(few), b.getI64IntegerAttr(outer),
      mlir::ValueRange{placeholder(b, kernel.getLoc(), type)},
      b.getAffineMapArrayAttr({dense(context, kept, few, few.size())}), mlir::ValueRange{}, mlir::DenseI64ArrayAttr(),
      b.getAffineMapArrayAttr({AffineMap::get(static_cast<unsigned>(few.size()), 0, out.getResults(), context)}));
  mlir::Block& body = made.all.getBody().emplaceBlock();
  body.addArgument(reduce.getType(), reduce.getLoc());
  b.setInsertionPointToEnd(&body);
  mlir::Value total = fuse::ReduceOp::create(b, reduce.getLoc(), reduce.getType(), reduce.getKind(),
                                             body.getArgument(0), b.getDenseI64ArrayAttr({outer}));
  fuse::YieldOp::create(b, kernel.getLoc(), mlir::ValueRange{total});
  return made;
}

}  // namespace tessera::cuda
