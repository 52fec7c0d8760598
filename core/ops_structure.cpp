#include <algorithm>
#include <numeric>

#include <tessera/core/promotion.h>

namespace tessera {
namespace {

Tensor permuted(const Call& call, NodePtr x, const Dims& order) {
  Dims dims = rules::permutation(call, *x, order);
  if (std::is_sorted(dims.begin(), dims.end())) return Tensor(x);
  Dims out;
  for (int64_t d : dims) out.push_back(x->shape[static_cast<int>(d)]);
  const DType dtype = x->dtype;
  return Tensor(record(Op::Transpose, DimsAttrs{std::move(dims)}, {std::move(x)}, dtype, std::move(out), call.at));
}

}  // namespace

Tensor broadcast_to(Operand x, Shape shape) {
  const Call call{"broadcast_to", x.at()};
  NodePtr node = resolve(call, x);
  Dims dims = rules::broadcast_to(call, *node, shape);
  return Tensor(broadcast_node(std::move(node), std::move(shape), std::move(dims), x.at()));
}

Tensor broadcast_in_dim(Operand x, Shape shape, Dims dims) {
  const Call call{"broadcast_in_dim", x.at()};
  NodePtr node = resolve(call, x);
  rules::broadcast_in_dim(call, *node, shape, dims);
  return Tensor(broadcast_node(std::move(node), std::move(shape), std::move(dims), x.at()));
}

Tensor reshape(Operand x, Shape shape) {
  const Call call{"reshape", x.at()};
  NodePtr node = resolve(call, x);
  Shape to = rules::reshape(call, *node, shape);
  return Tensor(reshape_node(std::move(node), std::move(to), x.at()));
}

Tensor flatten(Operand x, int start, int stop) {
  const Call call{"flatten", x.at()};
  NodePtr node = resolve(call, x);
  const Shape& shape = node->shape;
  if (shape.rank() == 0) return Tensor(reshape_node(std::move(node), {1}, x.at()));
  const auto first = shape.begin() + rules::dim(call, start, *node),
             last = shape.begin() + rules::dim(call, stop, *node);
  rules::ascending(call, *node, start, stop, last - first);
  Dims out(shape.begin(), first);
  out.push_back(std::accumulate(first, last + 1, int64_t{1}, std::multiplies<>()));
  out.insert(out.end(), last + 1, shape.end());
  return Tensor(reshape_node(std::move(node), std::move(out), x.at()));
}

Tensor squeeze(Operand x, int dim) {
  const Call call{"squeeze", x.at()};
  NodePtr node = resolve(call, x);
  dim = rules::dim(call, dim, *node);
  rules::squeeze(call, *node, dim);
  Shape out = rules::without(node->shape, {dim});
  return Tensor(reshape_node(std::move(node), std::move(out), x.at()));
}

Tensor unsqueeze(Operand x, int dim) {
  const Call call{"unsqueeze", x.at()};
  NodePtr node = resolve(call, x);
  dim = rules::new_dim(call, dim, *node);
  Dims out = node->shape.dims();
  out.insert(out.begin() + dim, 1);
  return Tensor(reshape_node(std::move(node), std::move(out), x.at()));
}

Tensor permute(Operand x, Dims dims) {
  const Call call{"permute", x.at()};
  return permuted(call, resolve(call, x), dims);
}

Tensor transpose(Operand x, int dim0, int dim1) {
  const Call call{"transpose", x.at()};
  NodePtr node = resolve(call, x);
  Dims order(static_cast<size_t>(node->shape.rank()));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::swap(order[static_cast<size_t>(rules::dim(call, dim0, *node))],
            order[static_cast<size_t>(rules::dim(call, dim1, *node))]);
  return permuted(call, std::move(node), order);
}

Tensor reverse(Operand x, Dims dims) {
  const Call call{"reverse", x.at()};
  NodePtr node = resolve(call, x);
  Dims along = rules::dims(call, dims, *node);
  if (along.empty()) return Tensor(node);
  std::sort(along.begin(), along.end());
  const DType dtype = node->dtype;
  Shape shape = node->shape;
  return Tensor(record(Op::Reverse, DimsAttrs{std::move(along)}, {std::move(node)}, dtype, std::move(shape), x.at()));
}

// [a, b] repeated {r, s}: stretched to [r, a, s, b], then read as [r·a, s·b].
Tensor tile(Operand x, Dims repeats) {
  const Call call{"tile", x.at()};
  NodePtr node = resolve(call, x);
  rules::tile(call, *node, repeats);
  Dims stretched, places, out;
  for (size_t d = 0; d < repeats.size(); ++d) {
    const int64_t extent = node->shape[static_cast<int>(d)];
    if (repeats[d] != 1) stretched.push_back(repeats[d]);
    places.push_back(static_cast<int64_t>(stretched.size()));
    stretched.push_back(extent);
    out.push_back(repeats[d] * extent);
  }
  node = broadcast_node(std::move(node), std::move(stretched), std::move(places), x.at());
  return Tensor(reshape_node(std::move(node), std::move(out), x.at()));
}

}  // namespace tessera
