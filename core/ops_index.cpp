#include <limits>

#include <tessera/core/promotion.h>

namespace tessera {
namespace {

NodePtr gather_node(const Call& call, NodePtr x, NodePtr indices, int dim) {
  Shape out = rules::gather(call, *x, *indices, dim);
  const DType dtype = x->dtype;
  return record(Op::Gather, DimAttrs{dim}, {std::move(x), std::move(indices)}, dtype, std::move(out), call.at);
}

// result[.., i, ..] = x[.., indices[.., i, ..], ..]: a gather from x as a list, at Σ place · stride. With `checked` an
// index out of range along dim stays out of range in the list, where it could land on a neighbour.
Tensor taken(const Call& call, NodePtr x, const NodePtr& indices, int dim, bool checked) {
  rules::take_along(call, *x, *indices, dim);
  if (x->shape.rank() == 1) return Tensor(gather_node(call, std::move(x), indices, 0));

  const auto here = [at = call.at](Tensor t) { return Operand(std::move(t), at); };
  const int64_t numel = x->shape.numel();
  const DType type = numel > std::numeric_limits<int32_t>::max() ? i64 : indices->dtype;
  const Dims strides = row_major_strides(x->shape);
  const Shape& shape = indices->shape;
  const Tensor along(cast_node(indices, type, call.at));
  Tensor place = here(along) * strides[static_cast<size_t>(dim)];
  for (int d = 0; d < shape.rank(); ++d) {
    if (d == dim || shape[d] < 2) continue;
    place = here(place) + here(here(iota(shape, d, type, call.at)) * strides[static_cast<size_t>(d)]);
  }
  if (checked) {
    const Tensor inside = here(here(along) >= 0) & here(here(along) < x->shape[dim]);
    place = where(here(inside), here(place), -1);
  }
  NodePtr list = reshape_node(std::move(x), {numel}, call.at);
  return Tensor(gather_node(call, std::move(list), place.node(), 0));
}

std::vector<NodePtr> scalars(const std::vector<Tensor>& start, Loc at) {
  std::vector<NodePtr> out;
  out.reserve(start.size());
  for (const Tensor& s : start) out.push_back(cast_node(s.node(), i64, at));
  return out;
}

}  // namespace

Tensor gather(Operand x, Operand indices, int dim) {
  const Call call{"gather", x.at()};
  NodePtr node = resolve(call, x);
  dim = rules::dim(call, dim, *node);
  // A number is known here, so it is checked here; a run checks the others.
  if (indices.is_number()) return select(x, dim, rules::whole_index(call, *node, dim, indices.number()));
  return Tensor(gather_node(call, std::move(node), rules::value(call, indices.tensor()), dim));
}

Tensor take_along(Operand x, Operand indices, int dim) {
  const Call call{"take_along", x.at()};
  NodePtr node = resolve(call, x);
  dim = rules::dim(call, dim, *node);
  return taken(call, std::move(node), resolve(call, indices), dim, /*checked=*/true);
}

Tensor sort(Operand x, int dim, bool descending) {
  const Call call{"sort", x.at()};
  NodePtr node = resolve(call, x);
  dim = rules::dim(call, dim, *node);
  const Tensor order = argsort({Tensor(node), x.at()}, dim, descending);
  return taken(call, std::move(node), order.node(), dim, /*checked=*/false);
}

std::pair<Tensor, Tensor> topk(Operand x, int64_t k, int dim) {
  const Call call{"topk", x.at()};
  NodePtr node = resolve(call, x);
  dim = rules::dim(call, dim, *node);
  rules::topk(call, *node, k, dim);
  const Tensor order = argsort({Tensor(node), x.at()}, dim, /*descending=*/true);
  const Tensor first = slice({order, x.at()}, dim, {0, k});
  return {taken(call, std::move(node), first.node(), dim, /*checked=*/false), first};
}

Tensor scatter(Operand base, Operand indices, Operand updates, int dim, ScatterMode mode) {
  const Call call{"scatter", base.at()};
  NodePtr node = resolve(call, base), index = resolve(call, indices);
  dim = rules::dim(call, dim, *node);
  Shape wanted = rules::scatter_updates(call, *node, *index, dim);
  rules::update_type(call, "updates", *node, updates);
  const DType dtype = node->dtype;
  NodePtr update = updates.is_number() ? constant_node(call, updates.number(), dtype, wanted)
                                       : cast_node(updates.tensor().node(), dtype, call.at);
  rules::scatter(call, *node, *update, wanted, mode);
  Shape shape = node->shape;
  return Tensor(record(Op::Scatter, ScatterAttrs{dim, mode}, {std::move(node), std::move(index), std::move(update)},
                       dtype, std::move(shape), call.at));
}

Tensor dynamic_slice(Operand x, const std::vector<Tensor>& start, Shape sizes) {
  const Call call{"dynamic_slice", x.at()};
  NodePtr node = resolve(call, x);
  rules::dynamic_slice(call, *node, start, sizes);
  if (sizes == node->shape) return Tensor(node);  // only start 0 fits
  const DType dtype = node->dtype;
  std::vector<NodePtr> inputs = scalars(start, call.at);
  inputs.insert(inputs.begin(), std::move(node));
  return Tensor(record(Op::DynamicSlice, NoAttrs{}, std::move(inputs), dtype, std::move(sizes), call.at));
}

Tensor dynamic_update_slice(Operand x, Operand update, const std::vector<Tensor>& start) {
  const Call call{"dynamic_update_slice", x.at()};
  NodePtr node = resolve(call, x);
  rules::update_type(call, "update", *node, update);
  const DType dtype = node->dtype;
  NodePtr part = update.is_number() ? constant_node(call, update.number(), dtype, {})
                                    : cast_node(update.tensor().node(), dtype, call.at);
  rules::dynamic_update_slice(call, *node, *part, start);
  if (part->shape == node->shape) return Tensor(part);
  Shape shape = node->shape;
  std::vector<NodePtr> inputs = scalars(start, call.at);
  inputs.insert(inputs.begin(), {std::move(node), std::move(part)});
  return Tensor(record(Op::DynamicUpdateSlice, NoAttrs{}, std::move(inputs), dtype, std::move(shape), call.at));
}

Tensor one_hot(Operand indices, int64_t classes, DType dtype) {
  const Call call{"one_hot", indices.at()};
  NodePtr index = resolve(call, indices);
  rules::indices(call, "indices", *index);
  rules::count(call, "classes", classes);
  Dims out = index->shape.dims();
  out.push_back(classes);
  const Tensor column = unsqueeze({Tensor(index), call.at}, -1);
  const Tensor counted = iota(out, -1, index->dtype, call.at);
  return cast({Operand(column, call.at) == Operand(counted, call.at), call.at}, dtype);
}

}  // namespace tessera
