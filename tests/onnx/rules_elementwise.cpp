#include <cmath>
#include <limits>

#include <tessera/core/ops.h>
#include <tessera/nn/functional.h>

#include "tests/onnx/rules.h"

namespace tessera::onnx_test {
namespace {

using Results = std::vector<Tensor>;
constexpr double inf = std::numeric_limits<double>::infinity();

// Folds a two-operand function over all operands.
template <class F> Tensor fold_all(const Call& c, F f) {
  Tensor out = c[0];
  for (size_t i = 1; i < c.count(); ++i) out = f(out, c[i]);
  return out;
}

Tensor divide(const Tensor& a, const Tensor& b) {
  if (is_float(a.dtype())) return a / b;
  // ONNX divides integers towards zero, ours towards −∞.
  Tensor magnitude = floor_divide(abs(a), abs(b));
  return is_unsigned(a.dtype()) ? floor_divide(a, b) : magnitude * sign(a) * sign(b);
}

Tensor modulo(const Call& c) {
  if (!c.integer("fmod", 0)) return remainder(c[0], c[1]);
  Tensor m = remainder(abs(c[0]), abs(c[1]));
  return where(c[0] < 0, -m, m);
}

Tensor power(const Call& c) {
  // The result has the base's dtype; integer bases go through f64, which holds them exactly.
  if (is_float(c[0].dtype())) return pow(c[0], cast(c[1], c[0].dtype()));
  return cast(round(pow(cast(c[0], f64), cast(c[1], f64))), c[0].dtype());
}

Tensor clip(const Call& c) {
  Tensor x = c[0];
  if (c.has(1)) x = maximum(x, c[1]);
  else if (c.has_attr("min")) x = maximum(x, c.number("min", -inf));
  if (c.has(2)) x = minimum(x, c[2]);
  else if (c.has_attr("max")) x = minimum(x, c.number("max", inf));
  return x;
}

Tensor is_inf(const Call& c) {
  Tensor plus = c[0] == inf, minus = c[0] == -inf;
  if (!c.integer("detect_negative", 1)) return plus;
  return c.integer("detect_positive", 1) ? plus || minus : minus;
}

Tensor selu(const Call& c) {
  double alpha = c.number("alpha", 1.67326319217681884765625), gamma = c.number("gamma", 1.05070102214813232421875);
  return gamma * where(c[0] > 0, c[0], alpha * expm1(minimum(c[0], 0.0)));
}

Tensor celu(const Call& c) {
  double alpha = c.number("alpha", 1);
  return maximum(c[0], 0.0) + minimum(alpha * expm1(c[0] / alpha), 0.0);
}

Tensor shrink(const Call& c) {
  double lambda = c.number("lambd", 0.5), bias = c.number("bias", 0);
  return where(c[0] < -lambda, c[0] + bias, where(c[0] > lambda, c[0] - bias, zeros_like(c[0])));
}

Tensor hard_sigmoid(const Tensor& x, double alpha, double beta) { return clamp(alpha * x + beta, 0.0, 1.0); }

Tensor cast_to(const Tensor& x, DType to) { return cast(x, to); }

Results quantize(const Call& c) {
  if (c[1].numel() != 1) throw NotCovered("QuantizeLinear per axis");
  DType to = c.has(2) ? c[2].dtype() : u8;
  double low = to == u8 ? 0 : -128, high = to == u8 ? 255 : 127;
  Tensor q = round(c[0] / c[1]) + (c.has(2) ? cast(c[2], f32) : scalar(0.0));
  return {cast(clamp(q, low, high), to)};
}
Results dequantize(const Call& c) {
  if (c[1].numel() != 1) throw NotCovered("DequantizeLinear per axis");
  return {(cast(c[0], f32) - (c.has(2) ? cast(c[2], f32) : scalar(0.0))) * c[1]};
}

}  // namespace

void add_elementwise_rules(RuleMap& map) {
#define UNARY(Name, expr)                    \
  map[Name] = [](const Call& c) -> Results { \
    [[maybe_unused]] const Tensor& x = c[0]; \
    return {expr};                           \
  }
  UNARY("Abs", abs(x));
  UNARY("Neg", -x);
  UNARY("Exp", exp(x));
  UNARY("Log", log(x));
  UNARY("Sqrt", sqrt(x));
  UNARY("Reciprocal", reciprocal(x));
  UNARY("Sin", sin(x));
  UNARY("Cos", cos(x));
  UNARY("Tan", sin(x) / cos(x));
  UNARY("Sinh", (exp(x) - exp(-x)) * 0.5);
  UNARY("Cosh", (exp(x) + exp(-x)) * 0.5);
  UNARY("Asinh", log(x + sqrt(square(x) + 1.0)));
  UNARY("Acosh", log(x + sqrt(square(x) - 1.0)));
  UNARY("Atanh", 0.5 * log((1.0 + x) / (1.0 - x)));
  UNARY("Tanh", tanh(x));
  UNARY("Sigmoid", sigmoid(x));
  UNARY("Erf", erf(x));
  UNARY("Floor", floor(x));
  UNARY("Ceil", ceil(x));
  UNARY("Round", round(x));
  UNARY("Sign", sign(x));
  UNARY("Not", !x);
  UNARY("IsNaN", x != x);
  UNARY("IsInf", is_inf(c));
  UNARY("Identity", x);
  UNARY("Relu", relu(x));
  UNARY("LeakyRelu", leaky_relu(x, c.number("alpha", 0.01)));
  UNARY("Elu", elu(x, c.number("alpha", 1)));
  UNARY("Celu", celu(c));
  UNARY("Selu", selu(c));
  UNARY("ThresholdedRelu", where(x > c.number("alpha", 1), x, zeros_like(x)));
  UNARY("PRelu", where(x < 0, x * c[1], x));
  UNARY("HardSigmoid", hard_sigmoid(x, c.number("alpha", 0.2), c.number("beta", 0.5)));
  UNARY("HardSwish", x * hard_sigmoid(x, 1.0 / 6, 0.5));
  UNARY("Softplus", softplus(x));
  UNARY("Softsign", x / (1.0 + abs(x)));
  UNARY("Shrink", shrink(c));
  UNARY("Clip", clip(c));
  UNARY("Cast", cast_to(x, to_dtype(static_cast<int>(c.integer("to", 0)))));
  UNARY("CastLike", cast_to(x, c[1].dtype()));
  UNARY("Mod", modulo(c));
  UNARY("Pow", power(c));
  UNARY("Add", x + c[1]);
  UNARY("Sub", x - c[1]);
  UNARY("Mul", x * c[1]);
  UNARY("Div", divide(x, c[1]));
  UNARY("And", x && c[1]);
  UNARY("Or", x || c[1]);
  UNARY("Xor", x ^ c[1]);
  UNARY("Equal", x == c[1]);
  UNARY("Less", x < c[1]);
  UNARY("LessOrEqual", x <= c[1]);
  UNARY("Greater", x > c[1]);
  UNARY("GreaterOrEqual", x >= c[1]);
  UNARY("Where", where(x, c[1], c[2]));
#undef UNARY
  map["Min"] = [](const Call& c) -> Results { return {fold_all(c, [](Tensor a, Tensor b) { return minimum(a, b); })}; };
  map["Max"] = [](const Call& c) -> Results { return {fold_all(c, [](Tensor a, Tensor b) { return maximum(a, b); })}; };
  map["Sum"] = [](const Call& c) -> Results { return {fold_all(c, [](Tensor a, Tensor b) { return a + b; })}; };
  map["Mean"] = [](const Call& c) -> Results {
    return {fold_all(c, [](Tensor a, Tensor b) { return a + b; }) * (1.0 / static_cast<double>(c.count()))};
  };
  map["Dropout"] = [](const Call& c) -> Results {
    if (c.has(2) && c[2].item<bool>()) throw NotCovered("Dropout that draws: another generator");
    return {c[0], ones(c[0].shape(), boolean)};
  };
  map["QuantizeLinear"] = quantize;
  map["DequantizeLinear"] = dequantize;
}

}  // namespace tessera::onnx_test
