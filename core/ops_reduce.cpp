#include <tessera/core/promotion.h>

namespace tessera {
namespace {

NodePtr reduce_node(NodePtr x, ReduceKind kind, Dims sorted, Loc at) {
  if (sorted.empty()) return x;
  Shape out = rules::without(x->shape, sorted);
  const DType dtype = x->dtype;
  return record(Op::Reduce, ReduceAttrs{kind, std::move(sorted)}, {std::move(x)}, dtype, std::move(out), at);
}

// The reduced dims again, with extent 1: what keepdim adds.
NodePtr kept(NodePtr x, const Shape& before, const Dims& reduced, bool keepdim, Loc at) {
  if (!keepdim) return x;
  Shape out = before;
  for (int64_t d : reduced) out[static_cast<int>(d)] = 1;
  return reshape_node(std::move(x), std::move(out), at);
}

// `dtype` chooses what is computed in: rules::arithmetic, real or accumulated.
Tensor reduced(std::string_view name, const Operand& x, ReduceKind kind, const Dims& wanted, bool keepdim,
               DType (*dtype)(const Call&, const Node&)) {
  const Call call{name, x.at()};
  NodePtr node = resolve(call, x);
  const Dims dims = rules::reduced_dims(call, wanted, *node);
  if (kind == ReduceKind::max || kind == ReduceKind::min) rules::not_empty(call, *node, dims);
  node = cast_node(node, dtype(call, *node), call.at);
  const Shape before = node->shape;
  return Tensor(kept(reduce_node(std::move(node), kind, dims, call.at), before, dims, keepdim, call.at));
}

// max and min of bool are any and all; of nothing they are false and true.
Tensor truth(std::string_view name, const Operand& x, ReduceKind kind, const Dims& wanted, bool keepdim) {
  const Call call{name, x.at()};
  NodePtr node = resolve(call, x);
  const Dims dims = rules::reduced_dims(call, wanted, *node);
  if (rules::arithmetic(call, *node) != boolean) {
    NodePtr zero = constant_node(call, int64_t{0}, node->dtype, node->shape);
    Shape shape = node->shape;
    node = record(Op::NotEqual, NoAttrs{}, {std::move(node), std::move(zero)}, boolean, std::move(shape), call.at);
  }
  const Shape before = node->shape;
  NodePtr out;
  if (before.numel() == 0)
    out = constant_node(call, int64_t{kind == ReduceKind::min}, boolean, rules::without(before, dims));
  else out = reduce_node(std::move(node), kind, dims, call.at);
  return Tensor(kept(std::move(out), before, dims, keepdim, call.at));
}

Tensor place_of(Op op, const Operand& x, int dim) {
  const Call call{name(op), x.at()};
  NodePtr node = resolve(call, x);
  rules::arithmetic(call, *node);
  dim = rules::dim(call, dim, *node);
  rules::not_empty(call, *node, {dim});
  Shape out = rules::without(node->shape, {dim});
  return Tensor(record(op, DimAttrs{dim}, {std::move(node)}, i64, std::move(out), call.at));
}

}  // namespace

Tensor sum(Operand x, Dims dims, bool keepdim) {
  return reduced("sum", x, ReduceKind::sum, dims, keepdim, rules::accumulated);
}
Tensor prod(Operand x, Dims dims, bool keepdim) {
  return reduced("prod", x, ReduceKind::prod, dims, keepdim, rules::accumulated);
}
Tensor max(Operand x, Dims dims, bool keepdim) {
  return reduced("max", x, ReduceKind::max, dims, keepdim, rules::arithmetic);
}
Tensor min(Operand x, Dims dims, bool keepdim) {
  return reduced("min", x, ReduceKind::min, dims, keepdim, rules::arithmetic);
}
Tensor any(Operand x, Dims dims, bool keepdim) { return truth("any", x, ReduceKind::max, dims, keepdim); }
Tensor all(Operand x, Dims dims, bool keepdim) { return truth("all", x, ReduceKind::min, dims, keepdim); }

// A narrow float is summed and divided in f32: its sum may be infinite where the mean is not.
Tensor mean(Operand x, Dims wanted, bool keepdim) {
  const Call call{"mean", x.at()};
  NodePtr node = resolve(call, x);
  const Dims dims = rules::reduced_dims(call, wanted, *node);
  const DType dtype = rules::real(call, *node);
  node = cast_node(cast_node(std::move(node), dtype, call.at), promote(dtype, f32), call.at);
  const Shape before = node->shape;
  Tensor total(kept(reduce_node(std::move(node), ReduceKind::sum, dims, call.at), before, dims, keepdim, call.at));
  const int64_t out = total.numel(), count = out == 0 ? 1 : before.numel() / out;
  Tensor result = Operand(std::move(total), call.at) * Operand(1.0 / static_cast<double>(count), call.at);
  return Tensor(cast_node(result.node(), dtype, call.at));
}

Tensor variance(Operand x, Dims wanted, bool keepdim) {
  const Call call{"variance", x.at()};
  NodePtr node = resolve(call, x);
  Dims dims = rules::reduced_dims(call, wanted, *node);
  const DType dtype = rules::real(call, *node);
  node = cast_node(std::move(node), dtype, call.at);
  const Shape before = node->shape;
  Shape out = rules::without(before, dims);
  NodePtr result = record(Op::Variance, DimsAttrs{dims}, {std::move(node)}, dtype, std::move(out), call.at);
  return Tensor(kept(std::move(result), before, dims, keepdim, call.at));
}

Tensor argmax(Operand x, int dim) { return place_of(Op::ArgMax, x, dim); }
Tensor argmin(Operand x, int dim) { return place_of(Op::ArgMin, x, dim); }

}  // namespace tessera
