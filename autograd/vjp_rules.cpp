#include <tessera/autograd/vjp_rules.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <numbers>

#include <tessera/core/splat.h>

namespace tessera {
namespace {

using namespace pullback;
using std::numbers::inv_sqrtpi;
using std::numbers::ln2;

struct RuleRow {
  Op op;
  Rule rule;
};
using V = const Vjp&;

// `i` is the operand whose gradient is asked for. Operands have y's dtype and shape where the op is elementwise: the
// casts and broadcasts that made them so are nodes of their own.
// clang-format off
constexpr RuleRow table[] = {
  {Op::Input,   [](V, int) { return Tensor(); }},  // a leaf

  {Op::Neg,     [](V v, int) { return -v.g; }},
  {Op::Abs,     [](V v, int) { return v.times(v.g, sign(v.x(0))); }},
  {Op::Exp,     [](V v, int) { return v.times(v.g, v.y); }},
  {Op::Exp2,    [](V v, int) { return v.times(v.g, v.y * ln2); }},
  {Op::Log,     [](V v, int) { return v.g / v.x(0); }},
  {Op::Log1p,   [](V v, int) { return v.g / (1 + v.x(0)); }},
  {Op::Expm1,   [](V v, int) { return v.times(v.g, v.y + 1); }},
  {Op::Tanh,    [](V v, int) { return v.times(v.g, 1 - v.y * v.y); }},
  {Op::Erf,     [](V v, int) { return v.times(v.g, exp(-square(v.x(0))) * (2 * inv_sqrtpi)); }},
  {Op::Sigmoid, [](V v, int) { return v.times(v.g, v.y * (1 - v.y)); }},
  {Op::Sqrt,    [](V v, int) { return v.g / (2 * v.y); }},
  {Op::Rsqrt,   [](V v, int) { return v.times(v.g, -0.5 * (v.y * v.y * v.y)); }},
  {Op::Recip,   [](V v, int) { return v.times(v.g, -square(v.y)); }},
  {Op::Sin,     [](V v, int) { return v.times(v.g, cos(v.x(0))); }},
  {Op::Cos,     [](V v, int) { return v.times(v.g, -sin(v.x(0))); }},
  {Op::Cast,    pullback::cast},

  {Op::Add,     [](V v, int) { return v.g; }},
  {Op::Sub,     [](V v, int i) { return i == 0 ? v.g : -v.g; }},
  {Op::Mul,     [](V v, int i) { return v.times(v.g, v.x(1 - i)); }},
  {Op::Div,     pullback::div},
  {Op::Rem,     [](V v, int i) { return i == 0 ? v.g : v.times(v.g, -floor_divide(v.x(0), v.x(1))); }},
  {Op::Pow,     pullback::pow},
  {Op::Min,     pullback::minimum},
  {Op::Max,     pullback::maximum},

  {Op::Select,  [](V v, int i) { return i == 0 ? Tensor() : i == 1 ? where(v.x(0), v.g, 0) : where(v.x(0), 0, v.g); }},
  {Op::Barrier, [](V v, int) { return v.g; }},

  {Op::Broadcast, pullback::broadcast},
  {Op::Reshape,   [](V v, int) { return reshape(v.g, v.shape(0)); }},
  {Op::Transpose, pullback::transpose},
  {Op::Slice,     pullback::slice},
  {Op::Pad,       pullback::pad},
  {Op::Concat,    pullback::concat},
  {Op::Reverse,   [](V v, int) { return reverse(v.g, v.as<DimsAttrs>().dims); }},

  {Op::Gather,             pullback::gather},
  {Op::Scatter,            pullback::scatter},
  {Op::DynamicSlice,       pullback::dynamic_slice},
  {Op::DynamicUpdateSlice, pullback::dynamic_update_slice},

  {Op::Reduce,   pullback::reduce},
  {Op::Scan,     pullback::scan},
  {Op::Contract, pullback::contract},
  {Op::Window,   [](V v, int) { return fold(v.g, v.shape(0), v.as<WindowAttrs>()); }},
  {Op::Fold,     [](V v, int) { return window(v.g, v.as<WindowAttrs>()); }},

  {Op::Softmax,   pullback::softmax},
  {Op::LogSumExp, [](V v, int) {  // ∂ log Σ eˣ = softmax(x)
    const int dim = static_cast<int>(v.as<DimAttrs>().dim);
    return v.times(v.expand(v.g, {dim}, v.shape(0)), softmax(v.x(0), dim)); }},
  {Op::Variance,  pullback::variance},
};
// clang-format on

constexpr auto by_op = [] {
  std::array<Rule, op_count> out{};
  for (const RuleRow& row : table) out[static_cast<size_t>(row.op)] = row.rule;
  return out;
}();

}  // namespace

Rule vjp_rule(Op op) { return by_op[static_cast<size_t>(op)]; }

Tensor Ones::make(const Shape& shape, DType dtype, Loc at) {
  Tensor one = tessera::ones(shape, dtype, at);
  made_.emplace(one.node().get(), one.node());
  return one;
}

bool Ones::contains(const Tensor& t) const { return made_.contains(&rearranged(*t.node())); }

Tensor Vjp::expand(const Tensor& t, const Dims& reduced, const Shape& whole) const {
  if (ones.contains(t)) return ones.make(whole, t.dtype());
  Dims kept;
  for (int64_t d = 0; d < whole.rank(); ++d)
    if (std::find(reduced.begin(), reduced.end(), d) == reduced.end()) kept.push_back(d);
  return broadcast_in_dim(t, whole, kept);
}

std::vector<Tensor> Vjp::from(int i) const {
  std::vector<Tensor> out;
  for (size_t k = static_cast<size_t>(i); k < operands.size(); ++k) out.emplace_back(operands[k]);
  return out;
}

namespace pullback {

Tensor shifted(const Tensor& x, int dim, int64_t by, double fill) {
  const int64_t n = x.size(dim);
  by = std::clamp(by, -n, n);
  std::vector<PadDim> edges(static_cast<size_t>(x.rank()));
  PadDim& edge = edges[static_cast<size_t>(dim)];
  (by > 0 ? edge.high : edge.low) = std::abs(by);
  const Range kept = by > 0 ? Range{by, n} : Range{0, n + by};
  return tessera::pad(tessera::slice(x, dim, kept), edges, fill);
}

}  // namespace pullback
}  // namespace tessera
