#include <tessera/core/shape_rules_argument.h>

#include <algorithm>

#include <fmt/format.h>

namespace tessera::rules {

void countable(const Call& call, const Shape& shape, int dim, DType type) {
  not_storage_only(call, type, Operands("shape", shape));
  if (type == boolean)  // source_c1
    throw DTypeError(text(call, "T-D015", "cannot count in bool", Operands("shape", shape),
                          "count in i32 or i64, and compare to get bool"));
  if (shape[dim] > 0) number(call, shape[dim] - 1, type);
}

void count(const Call& call, const char* what, int64_t n) {
  if (n < 0)  // source_c2
    throw ValueError(
        text(call, "T-V029", fmt::format("got the negative {} {}", what, n), {}, fmt::format("{} is 0 or more", what)));
}

DType number_type(const Number& n) {
  if (std::holds_alternative<double>(n)) return f32;
  return fits(n, i32) ? i32 : i64;
}

DType elementwise_type(const Call& call, TypeRule rule, Arguments arguments) {
  std::optional<DType> type;
  for (const Argument& a : arguments) {
    if (a.operand.is_number()) continue;
    const DType t = value(call, a.operand.tensor())->dtype;
    const bool moved =
        rule == TypeRule::Own && (!type || *type == t);  // f8 may be chosen and copied, not computed with
    if (!moved) {
      not_storage_only(call, t, arguments);
      if (type) not_storage_only(call, *type, arguments);
    }
    type = type ? promote(*type, t) : t;
  }
  // Numbers are weak (D18): they take the tensors' dtype unless that cannot say what they are.
  const bool alone = !type;
  for (const Argument& a : arguments) {
    if (!a.operand.is_number()) continue;
    const Number& n = a.operand.number();
    if (std::holds_alternative<double>(n)) {
      if (!type || !is_float(*type)) type = f32;
    } else if (alone) {
      type = type ? promote(*type, number_type(n)) : number_type(n);
    } else if (*type == boolean && (rule == TypeRule::Numeric || !fits(n, boolean))) {
      type = i32;
    }
  }
  const DType common = type.value_or(f32);
  switch (rule) {
    case TypeRule::Float: return is_float(common) ? common : f32;
    case TypeRule::Numeric:
      if (common == boolean)  // elementwise_c1
        throw DTypeError(text(call, "T-D011", "does not compute with bool", shown(arguments),
                              "for logic use & | ^ !, for counting cast to i32 first"));
      break;
    case TypeRule::Bits:
      if (is_float(common))  // elementwise_c2
        throw DTypeError(text(call, "T-D012", fmt::format("needs bool or integers, not {}", str(common)),
                              shown(arguments), "compare first, for instance x != 0, or cast to an integer dtype"));
      break;
    case TypeRule::Bool:
      for (const Argument& a : arguments) boolean_operand(call, a);
      break;
    case TypeRule::Any:
    case TypeRule::Compare:
    case TypeRule::Own: break;
  }
  return common;
}

namespace {

std::string broadcast_hint(const Shape& a, const Shape& b) {
  const Dims &longer = (a.rank() < b.rank() ? b : a).dims(), &shorter = (a.rank() < b.rank() ? a : b).dims();
  if (longer.size() > shorter.size() && std::equal(shorter.begin(), shorter.end(), longer.begin())) {
    Dims left = shorter;
    left.resize(longer.size(), 1);
    return fmt::format("shapes align at the right: reshape {} to {} to align it at the left", str(shorter), str(left));
  }
  if (a.rank() == 2 && b == Shape{a[1], a[0]}) return "one side is the transpose of the other: transpose() it";
  return "shapes align at the right; an extent of 1 stretches";
}

}  // namespace

Shape elementwise_shape(const Call& call, Arguments arguments) {
  Shape out;
  for (const Argument& a : arguments) {
    if (a.operand.is_number() || a.operand.tensor().shape() == out) continue;
    const Shape& shape = a.operand.tensor().shape();
    std::optional<Shape> met = broadcast(out, shape);
    if (!met) {  // elementwise_c3
      throw ShapeError(text(call, "T-S010", fmt::format("cannot broadcast {} with {}", out.str(), shape.str()),
                            shown(arguments), broadcast_hint(out, shape)));
    }
    out = std::move(*met);
  }
  return out;
}

void boolean_operand(const Call& call, const Argument& a) {
  const bool ok =
      a.operand.is_number() ? fits(a.operand.number(), boolean) : value(call, a.operand.tensor())->dtype == boolean;
  if (!ok)  // elementwise_c4
    throw DTypeError(text(call, "T-D013", fmt::format("needs bool for {}", a.label), {{a.label, describe(a.operand)}},
                          "compare first, for instance x != 0"));
}

DType arithmetic(const Call& call, const Node& x) {
  not_storage_only(call, x.dtype, Operands(x));
  return x.dtype;
}
DType real(const Call& call, const Node& x) {
  const DType type = arithmetic(call, x);
  return is_float(type) ? type : f32;
}
DType accumulated(const Call& call, const Node& x) {
  const DType type = arithmetic(call, x);
  return !is_float(type) && size_of(type) < 4 ? i32 : type;
}

}  // namespace tessera::rules
