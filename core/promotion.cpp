#include <tessera/core/promotion.h>

#include <cmath>
#include <utility>

#include <tessera/core/splat.h>

namespace tessera {

Loc place(rules::Arguments arguments) {
  const Loc first = arguments[0].operand.at();
  for (const rules::Argument& a : arguments.subspan(1)) {
    const Loc at = a.operand.at();
    // One file is the usual case, and there is nothing to choose.
    if (at.file != first.file && is_library_file(first.file) && !is_library_file(at.file)) return at;
  }
  return first;
}

NodePtr resolve(const Call& call, const Operand& x) {
  if (x.is_number()) return constant_node(call, x.number(), rules::number_type(x.number()), {});
  return rules::value(call, x.tensor());
}

NodePtr materialize(const Call& call, const Operand& x, DType dtype, const Shape& shape) {
  if (x.is_number()) return constant_node(call, x.number(), dtype, shape);
  NodePtr node = cast_node(x.tensor().node(), dtype, call.at);
  if (node->shape == shape) return node;
  Dims dims = rules::broadcast_to(call, *node, shape);
  return broadcast_node(std::move(node), shape, std::move(dims), call.at);
}

NodePtr constant_node(const Call& call, const Number& number, DType dtype, Shape shape) {
  rules::number(call, number, dtype);
  ConstantAttrs attrs{number};
  // One spelling per value, so that equal computations compare equal.
  if (is_float(dtype)) attrs.value = as_double(number);
  else if (const auto* x = std::get_if<double>(&number)) attrs.value = static_cast<int64_t>(*x);
  return record(Op::Constant, attrs, {}, dtype, std::move(shape), call.at);
}

NodePtr cast_node(NodePtr x, DType dtype, Loc at) {
  if (x->dtype == dtype) return x;
  Shape shape = x->shape;
  return record(Op::Cast, NoAttrs{}, {std::move(x)}, dtype, std::move(shape), at);
}

NodePtr broadcast_node(NodePtr x, Shape shape, Dims dims, Loc at) {
  if (x->shape == shape) return x;  // dims ascend, so they are 0, 1, …
  const DType dtype = x->dtype;
  // A number of the op's own. A constant that somebody holds may be asked for: its gradient comes through the broadcast.
  if (x->op == Op::Constant && is_hidden_number(*x))
    return record(Op::Constant, x->attrs, {}, dtype, std::move(shape), at);
  return record(Op::Broadcast, DimsAttrs{std::move(dims)}, {std::move(x)}, dtype, std::move(shape), at);
}

NodePtr reshape_node(NodePtr x, Shape shape, Loc at) {
  if (x->shape == shape) return x;
  const DType dtype = x->dtype;
  return record(Op::Reshape, NoAttrs{}, {std::move(x)}, dtype, std::move(shape), at);
}

}  // namespace tessera
