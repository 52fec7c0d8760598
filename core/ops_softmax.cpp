#include <tessera/core/promotion.h>

namespace tessera {
namespace {

// Casts to the dtype of the result and records `op` over one dim, which stays (softmax) or leaves (logsumexp).
NodePtr over_dim(Op op, const Call& call, const Operand& x, int dim, bool leaves) {
  NodePtr node = resolve(call, x);
  dim = rules::dim(call, dim, *node);
  const DType dtype = rules::real(call, *node);
  node = cast_node(std::move(node), dtype, call.at);
  Shape out = leaves ? rules::without(node->shape, {dim}) : node->shape;
  return record(op, DimAttrs{dim}, {std::move(node)}, dtype, std::move(out), call.at);
}

}  // namespace

Tensor softmax(Operand x, int dim) {
  return Tensor(over_dim(Op::Softmax, {"softmax", x.at()}, x, dim, /*leaves=*/false));
}

Tensor logsumexp(Operand x, int dim) {
  return Tensor(over_dim(Op::LogSumExp, {"logsumexp", x.at()}, x, dim, /*leaves=*/true));
}

Tensor log_softmax(Operand x, int dim) {
  NodePtr total = over_dim(Op::LogSumExp, {"log_softmax", x.at()}, x, dim, /*leaves=*/true);
  const NodePtr& from = total->inputs[0];
  const auto along = static_cast<int>(std::get<DimAttrs>(total->attrs).dim);
  Dims places;
  for (int d = 0; d < from->shape.rank(); ++d)
    if (d != along) places.push_back(d);
  NodePtr stretched = broadcast_node(total, from->shape, std::move(places), x.at());
  return Operand(Tensor(from), x.at()) - Operand(Tensor(stretched), x.at());
}

}  // namespace tessera
