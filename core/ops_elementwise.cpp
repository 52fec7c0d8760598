#include <tessera/core/promotion.h>

namespace tessera {
namespace {

using rules::Argument;

// One node for `op`, its operands cast to one dtype and stretched to one shape.
Tensor elementwise(Op op, rules::Arguments arguments) {
  const OpRow& facts = row(op);
  const Call call{facts.name, place(arguments)};
  const DType dtype = rules::elementwise_type(call, facts.types, arguments);
  Shape shape = rules::elementwise_shape(call, arguments);
  std::vector<NodePtr> inputs;
  inputs.reserve(arguments.size());
  for (const Argument& a : arguments) inputs.push_back(materialize(call, a.operand, dtype, shape));
  const DType result = facts.types == TypeRule::Compare ? boolean : dtype;
  return Tensor(record(op, NoAttrs{}, std::move(inputs), result, std::move(shape), call.at));
}

Tensor unary(Op op, const Operand& x) {
  const Argument arguments[] = {{"x", x}};
  return elementwise(op, arguments);
}
Tensor binary(Op op, const Operand& a, const Operand& b) {
  const Argument arguments[] = {{"lhs", a}, {"rhs", b}};
  return elementwise(op, arguments);
}

// `and` and `or` of logic, where `&` and `|` also take integers.
Tensor logical(Op op, std::string_view name, const Operand& a, const Operand& b) {
  const Argument arguments[] = {{"lhs", a}, {"rhs", b}};
  for (const Argument& argument : arguments) rules::boolean_operand({name, place(arguments)}, argument);
  return elementwise(op, arguments);
}

// Identity nodes keep dtype and shape.
Tensor marked(Op op, const Operand& x) {
  const Call call{name(op), x.at()};
  NodePtr node = resolve(call, x);
  const DType dtype = node->dtype;
  Shape shape = node->shape;
  return Tensor(record(op, NoAttrs{}, {std::move(node)}, dtype, std::move(shape), x.at()));
}

}  // namespace

Tensor operator-(Operand x) { return unary(Op::Neg, x); }
Tensor operator!(Operand x) {
  rules::boolean_operand({"logical not", x.at()}, {"x", x});
  return unary(Op::Not, x);
}
Tensor operator~(Operand x) { return unary(Op::Not, x); }
Tensor abs(Operand x) { return unary(Op::Abs, x); }
Tensor exp(Operand x) { return unary(Op::Exp, x); }
Tensor exp2(Operand x) { return unary(Op::Exp2, x); }
Tensor log(Operand x) { return unary(Op::Log, x); }
Tensor log1p(Operand x) { return unary(Op::Log1p, x); }
Tensor expm1(Operand x) { return unary(Op::Expm1, x); }
Tensor tanh(Operand x) { return unary(Op::Tanh, x); }
Tensor erf(Operand x) { return unary(Op::Erf, x); }
Tensor sigmoid(Operand x) { return unary(Op::Sigmoid, x); }
Tensor sqrt(Operand x) { return unary(Op::Sqrt, x); }
Tensor rsqrt(Operand x) { return unary(Op::Rsqrt, x); }
Tensor reciprocal(Operand x) { return unary(Op::Recip, x); }
Tensor sin(Operand x) { return unary(Op::Sin, x); }
Tensor cos(Operand x) { return unary(Op::Cos, x); }
Tensor floor(Operand x) { return unary(Op::Floor, x); }
Tensor ceil(Operand x) { return unary(Op::Ceil, x); }
Tensor round(Operand x) { return unary(Op::Round, x); }
Tensor sign(Operand x) { return unary(Op::Sign, x); }
Tensor is_finite(Operand x) { return unary(Op::IsFinite, x); }
Tensor square(Operand x) { return binary(Op::Mul, x, x); }

Tensor cast(Operand x, DType dtype) {
  const Call call{"cast", x.at()};
  if (x.is_number()) return Tensor(constant_node(call, x.number(), dtype, {}));
  return Tensor(cast_node(rules::value(call, x.tensor()), dtype, x.at()));
}

Tensor operator+(Operand a, Operand b) { return binary(Op::Add, a, b); }
Tensor operator-(Operand a, Operand b) { return binary(Op::Sub, a, b); }
Tensor operator*(Operand a, Operand b) { return binary(Op::Mul, a, b); }
Tensor operator/(Operand a, Operand b) { return binary(Op::Div, a, b); }
Tensor floor_divide(Operand a, Operand b) { return binary(Op::FloorDiv, a, b); }
Tensor remainder(Operand a, Operand b) { return binary(Op::Rem, a, b); }
Tensor pow(Operand a, Operand b) { return binary(Op::Pow, a, b); }
Tensor minimum(Operand a, Operand b) { return binary(Op::Min, a, b); }
Tensor maximum(Operand a, Operand b) { return binary(Op::Max, a, b); }
Tensor clamp(Operand x, Operand low, Operand high) { return binary(Op::Min, {maximum(x, low), x.at()}, high); }
Tensor operator&(Operand a, Operand b) { return binary(Op::And, a, b); }
Tensor operator|(Operand a, Operand b) { return binary(Op::Or, a, b); }
Tensor operator^(Operand a, Operand b) { return binary(Op::Xor, a, b); }
Tensor operator&&(Operand a, Operand b) { return logical(Op::And, "logical and", a, b); }
Tensor operator||(Operand a, Operand b) { return logical(Op::Or, "logical or", a, b); }
Tensor operator==(Operand a, Operand b) { return binary(Op::Equal, a, b); }
Tensor operator!=(Operand a, Operand b) { return binary(Op::NotEqual, a, b); }
Tensor operator<(Operand a, Operand b) { return binary(Op::Less, a, b); }
Tensor operator<=(Operand a, Operand b) { return binary(Op::LessEqual, a, b); }
Tensor operator>(Operand a, Operand b) { return binary(Op::Greater, a, b); }
Tensor operator>=(Operand a, Operand b) { return binary(Op::GreaterEqual, a, b); }

Tensor where(Operand condition, Operand a, Operand b) {
  const Argument all[] = {{"condition", condition}, {"a", a}, {"b", b}};
  const Call call{"where", place(all)};
  rules::boolean_operand(call, all[0]);
  const DType dtype = rules::elementwise_type(call, TypeRule::Own, rules::Arguments(all).subspan(1));
  Shape shape = rules::elementwise_shape(call, all);
  NodePtr inputs[] = {materialize(call, condition, boolean, shape), materialize(call, a, dtype, shape),
                      materialize(call, b, dtype, shape)};
  return Tensor(
      record(Op::Select, NoAttrs{}, {std::begin(inputs), std::end(inputs)}, dtype, std::move(shape), call.at));
}

Tensor stop_gradient(Operand x) { return marked(Op::StopGradient, x); }
Tensor barrier(Operand x) { return marked(Op::Barrier, x); }

}  // namespace tessera
