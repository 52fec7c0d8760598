// Rules of elementwise ops that take more than a line.

#include <limits>

#include <tessera/autograd/vjp_rules.h>
#include <tessera/core/splat.h>

namespace tessera::pullback {

// Back to the operand's dtype. f8 only stores: its gradient stays in the dtype in which it was computed with.
Tensor cast(const Vjp& v, int) {
  const DType source = v.dtype(0);
  if (!is_float(source)) return {};
  return is_storage_only(source) ? v.g : tessera::cast(v.g, source);
}

// y = a / b: g / b, and −(g / b) · y
Tensor div(const Vjp& v, int i) {
  const Tensor share = v.g / v.x(1);
  return i == 0 ? share : -(share * v.y);
}

// y = aᵇ: b · aᵇ⁻¹, also where b or a is 0; and y · log a, 0 where the real logarithm has no value.
Tensor pow(const Vjp& v, int i) {
  // An exponent that is a number is frozen; one that somebody holds may be asked for.
  const bool is_number = is_hidden_number(*v.operands[1]);
  const Tensor a = v.x(0), b = v.x(1);
  if (i == 1) {
    const Tensor positive = a > 0;
    return v.times(v.g, where(positive, v.y * log(where(positive, a, 1)), 0));
  }
  if (is_number) {
    const double exponent = *splat(*b.node());
    if (exponent == 0) return {};
    if (exponent == 1) return v.g;
    if (exponent == 2) return v.times(v.g, 2 * a);
    return v.times(v.g, exponent * tessera::pow(a, exponent - 1));
  }
  // Where b is 0, a⁻¹ is left for the derivative with respect to b, but not where it is infinite: 0 · ∞ shall be 0.
  const Tensor finite = abs(reciprocal(a)) < std::numeric_limits<double>::infinity();
  return v.times(v.g, b * tessera::pow(a, where(b == 0, where(finite, b, 1), b) - 1));
}

// The operands are asked, and not which of them y is: an operand that a kernel computes again may be an ulp away from the one
// that y was made of, and then neither would get anything. Beside a NaN each gets all of g.
Tensor minimum(const Vjp& v, int i) { return where(v.x(0) == v.x(1), 0.5 * v.g, where(v.x(i) > v.x(1 - i), 0, v.g)); }
Tensor maximum(const Vjp& v, int i) { return where(v.x(0) == v.x(1), 0.5 * v.g, where(v.x(i) < v.x(1 - i), 0, v.g)); }

}  // namespace tessera::pullback
