#pragma once
// One op is one row (D2). The row says everything that is not a shape rule: name, family, dtypes, gradient class,
// the scalar reference and the domain in which tests draw operands. VJPs, IR records and lowerings are looked up by
// the key `Op` in their own layer; tests/layering/completeness_test.cpp walks the table and fails when one is absent.
//
// Every op has exactly one result. Sort is argsort and gather; mean and variance are two ops.

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

namespace tessera {

// clang-format off
enum class Op : uint8_t {
  // sources
  Input, Constant, Iota, Random,
  // elementwise, one operand
  Neg, Abs, Exp, Exp2, Log, Log1p, Expm1, Tanh, Erf, Sigmoid, Sqrt, Rsqrt, Recip, Sin, Cos, Floor, Ceil, Round,
  Sign, Not, IsFinite, Cast,
  // elementwise, two operands
  Add, Sub, Mul, Div, FloorDiv, Rem, Pow, Min, Max, And, Or, Xor,
  // comparisons
  Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual,
  // elementwise, three operands
  Select,
  // identities that carry a meaning
  StopGradient, Barrier,
  // structure
  Broadcast, Reshape, Transpose, Slice, Pad, Concat, Reverse,
  // indexing
  Gather, Scatter, DynamicSlice, DynamicUpdateSlice,
  // reductions and scans
  Reduce, ArgMax, ArgMin, Scan, ArgSort,
  // contraction and windows
  Contract, Window, Fold,
  // normal forms that raising finds
  Softmax, LogSumExp, Variance,
};
// clang-format on
inline constexpr int op_count = static_cast<int>(Op::Variance) + 1;

enum class Family : uint8_t {
  Source,
  Unary,
  Binary,
  Compare,
  Select,
  Identity,
  Structure,
  Index,
  Reduce,
  Scan,
  Contract,
  Window,
  Raised
};

// How operand dtypes are checked and what the result has. Operands are promoted to one dtype first.
enum class TypeRule : uint8_t {
  Any,      // result has the operands' dtype; any dtype but f8
  Numeric,  // as Any, without bool
  Float,    // integers and bool are cast to f32
  Bool,     // operands bool, result bool
  Bits,     // operands bool or integer, result the same
  Compare,  // any operands, result bool
  Own,      // the op's shape rule decides
};

enum class Gradient : uint8_t {
  Rule,  // autograd/vjp_rules.cpp has one
  Zero,  // piecewise constant: zero by meaning
  None,  // no gradient exists: grad through it throws and names its line
};

struct Domain {
  double low, high;
};  // tests draw operands here; kinks and poles stay outside

struct OpRow {
  Op op;
  std::string_view name;
  Family family;
  int arity;  // −1: any number
  TypeRule types;
  Gradient gradient;
  double (*reference)(double, double) = nullptr;             // elementwise ops; the second argument is 0 for unary
  int64_t (*integer_reference)(int64_t, int64_t) = nullptr;  // where integers differ or f64 would round
  Domain domain = {-2, 2};
  Domain second = {-2, 2};  // of the second operand
};

// Integer division rounds to −∞ and a division by zero gives 0, on every backend.
constexpr int64_t floor_div(int64_t a, int64_t b) {
  if (b == 0) return 0;
  if (b == -1) return static_cast<int64_t>(-static_cast<uint64_t>(a));
  return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}
constexpr int64_t wrap(uint64_t x) { return static_cast<int64_t>(x); }

namespace rows {
using F = Family;
using T = TypeRule;
using G = Gradient;
#define TESSERA_F(expr) [](double x, [[maybe_unused]] double y) -> double { return static_cast<double>(expr); }
#define TESSERA_I(expr) [](int64_t x, [[maybe_unused]] int64_t y) -> int64_t { return static_cast<int64_t>(expr); }

// NaN passes through min and max, whichever side it is on.
inline double propagate_max(double x, double y) { return x != x || y != y ? x + y : (x > y ? x : y); }
inline double propagate_min(double x, double y) { return x != x || y != y ? x + y : (x < y ? x : y); }
inline double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }

// clang-format off
inline constexpr OpRow table[] = {
  {Op::Input,    "input",    F::Source, 0, T::Own, G::Rule},
  {Op::Constant, "constant", F::Source, 0, T::Own, G::Zero},
  {Op::Iota,     "iota",     F::Source, 0, T::Own, G::Zero},
  {Op::Random,   "random",   F::Source, 2, T::Own, G::Zero},

  {Op::Neg,     "neg",     F::Unary, 1, T::Numeric, G::Rule, TESSERA_F(-x), TESSERA_I(wrap(-static_cast<uint64_t>(x)))},
  {Op::Abs,     "abs",     F::Unary, 1, T::Numeric, G::Rule, TESSERA_F(std::fabs(x)), TESSERA_I(x < 0 ? wrap(-static_cast<uint64_t>(x)) : x), {0.1, 3}},
  {Op::Exp,     "exp",     F::Unary, 1, T::Float, G::Rule, TESSERA_F(std::exp(x)), nullptr, {-4, 4}},
  {Op::Exp2,    "exp2",    F::Unary, 1, T::Float, G::Rule, TESSERA_F(std::exp2(x)), nullptr, {-4, 4}},
  {Op::Log,     "log",     F::Unary, 1, T::Float, G::Rule, TESSERA_F(std::log(x)), nullptr, {0.1, 9}},
  {Op::Log1p,   "log1p",   F::Unary, 1, T::Float, G::Rule, TESSERA_F(std::log1p(x)), nullptr, {-0.8, 9}},
  {Op::Expm1,   "expm1",   F::Unary, 1, T::Float, G::Rule, TESSERA_F(std::expm1(x))},
  {Op::Tanh,    "tanh",    F::Unary, 1, T::Float, G::Rule, TESSERA_F(std::tanh(x)), nullptr, {-2, 2}},
  {Op::Erf,     "erf",     F::Unary, 1, T::Float, G::Rule, TESSERA_F(std::erf(x)), nullptr, {-3, 3}},
  {Op::Sigmoid, "sigmoid", F::Unary, 1, T::Float, G::Rule, TESSERA_F(sigmoid(x)), nullptr, {-6, 6}},
  {Op::Sqrt,    "sqrt",    F::Unary, 1, T::Float, G::Rule, TESSERA_F(std::sqrt(x)), nullptr, {0.1, 9}},
  {Op::Rsqrt,   "rsqrt",   F::Unary, 1, T::Float, G::Rule, TESSERA_F(1 / std::sqrt(x)), nullptr, {0.1, 9}},
  {Op::Recip,   "recip",   F::Unary, 1, T::Float, G::Rule, TESSERA_F(1 / x), nullptr, {0.2, 4}},
  {Op::Sin,     "sin",     F::Unary, 1, T::Float, G::Rule, TESSERA_F(std::sin(x)), nullptr, {-6, 6}},
  {Op::Cos,     "cos",     F::Unary, 1, T::Float, G::Rule, TESSERA_F(std::cos(x)), nullptr, {-6, 6}},
  {Op::Floor,   "floor",   F::Unary, 1, T::Numeric, G::Zero, TESSERA_F(std::floor(x)), TESSERA_I(x), {0.1, 0.9}},
  {Op::Ceil,    "ceil",    F::Unary, 1, T::Numeric, G::Zero, TESSERA_F(std::ceil(x)), TESSERA_I(x), {0.1, 0.9}},
  {Op::Round,   "round",   F::Unary, 1, T::Numeric, G::Zero, TESSERA_F(std::nearbyint(x)), TESSERA_I(x), {0.6, 1.4}},  // ties to even
  {Op::Sign,    "sign",    F::Unary, 1, T::Numeric, G::Zero, TESSERA_F(x > 0 ? 1 : x < 0 ? -1 : x), TESSERA_I((x > 0) - (x < 0)), {0.1, 3}},
  {Op::Not,     "not",     F::Unary, 1, T::Bits, G::Zero, TESSERA_F(x == 0), TESSERA_I(~x)},  // bool: logical; integers: bitwise
  {Op::IsFinite, "is_finite", F::Unary, 1, T::Compare, G::Zero, TESSERA_F(std::isfinite(x))},
  {Op::Cast,    "cast",    F::Unary, 1, T::Own, G::Rule},

  {Op::Add, "add", F::Binary, 2, T::Numeric, G::Rule, TESSERA_F(x + y), TESSERA_I(wrap(static_cast<uint64_t>(x) + static_cast<uint64_t>(y)))},
  {Op::Sub, "sub", F::Binary, 2, T::Numeric, G::Rule, TESSERA_F(x - y), TESSERA_I(wrap(static_cast<uint64_t>(x) - static_cast<uint64_t>(y)))},
  {Op::Mul, "mul", F::Binary, 2, T::Numeric, G::Rule, TESSERA_F(x * y), TESSERA_I(wrap(static_cast<uint64_t>(x) * static_cast<uint64_t>(y)))},
  {Op::Div, "div", F::Binary, 2, T::Float, G::Rule, TESSERA_F(x / y), nullptr, {-2, 2}, {0.3, 3}},
  {Op::FloorDiv, "floor_div", F::Binary, 2, T::Numeric, G::Zero, TESSERA_F(std::floor(x / y)), TESSERA_I(floor_div(x, y)), {0.1, 0.9}, {1.1, 3}},
  {Op::Rem, "rem", F::Binary, 2, T::Numeric, G::Rule, TESSERA_F(x - y * std::floor(x / y)), TESSERA_I(y == 0 ? 0 : wrap(static_cast<uint64_t>(x) - static_cast<uint64_t>(y) * static_cast<uint64_t>(floor_div(x, y)))), {0.1, 0.9}, {1.1, 3}},  // sign of y
  {Op::Pow, "pow", F::Binary, 2, T::Float, G::Rule, TESSERA_F(std::pow(x, y)), nullptr, {0.2, 3}},
  {Op::Min, "min", F::Binary, 2, T::Numeric, G::Rule, TESSERA_F(propagate_min(x, y)), TESSERA_I(x < y ? x : y)},
  {Op::Max, "max", F::Binary, 2, T::Numeric, G::Rule, TESSERA_F(propagate_max(x, y)), TESSERA_I(x > y ? x : y)},
  {Op::And, "and", F::Binary, 2, T::Bits, G::Zero, TESSERA_F(x != 0 && y != 0), TESSERA_I(x & y)},
  {Op::Or,  "or",  F::Binary, 2, T::Bits, G::Zero, TESSERA_F(x != 0 || y != 0), TESSERA_I(x | y)},
  {Op::Xor, "xor", F::Binary, 2, T::Bits, G::Zero, TESSERA_F((x != 0) != (y != 0)), TESSERA_I(x ^ y)},

  {Op::Equal,        "eq", F::Compare, 2, T::Compare, G::Zero, TESSERA_F(x == y), TESSERA_I(x == y)},
  {Op::NotEqual,     "ne", F::Compare, 2, T::Compare, G::Zero, TESSERA_F(x != y), TESSERA_I(x != y)},
  {Op::Less,         "lt", F::Compare, 2, T::Compare, G::Zero, TESSERA_F(x < y), TESSERA_I(x < y)},
  {Op::LessEqual,    "le", F::Compare, 2, T::Compare, G::Zero, TESSERA_F(x <= y), TESSERA_I(x <= y)},
  {Op::Greater,      "gt", F::Compare, 2, T::Compare, G::Zero, TESSERA_F(x > y), TESSERA_I(x > y)},
  {Op::GreaterEqual, "ge", F::Compare, 2, T::Compare, G::Zero, TESSERA_F(x >= y), TESSERA_I(x >= y)},

  {Op::Select, "select", F::Select, 3, T::Own, G::Rule},  // cond ? a : b

  {Op::StopGradient, "stop_gradient", F::Identity, 1, T::Own, G::Zero},
  {Op::Barrier,      "barrier",       F::Identity, 1, T::Own, G::Rule},  // fusion stops here

  {Op::Broadcast, "broadcast", F::Structure, 1, T::Own, G::Rule},
  {Op::Reshape,   "reshape",   F::Structure, 1, T::Own, G::Rule},
  {Op::Transpose, "transpose", F::Structure, 1, T::Own, G::Rule},
  {Op::Slice,     "slice",     F::Structure, 1, T::Own, G::Rule},
  {Op::Pad,       "pad",       F::Structure, 1, T::Own, G::Rule},
  {Op::Concat,    "concat",    F::Structure, -1, T::Own, G::Rule},
  {Op::Reverse,   "reverse",   F::Structure, 1, T::Own, G::Rule},

  {Op::Gather,  "gather",  F::Index, 2, T::Own, G::Rule},   // x, indices
  {Op::Scatter, "scatter", F::Index, 3, T::Own, G::Rule},   // base, indices, updates
  {Op::DynamicSlice,       "dynamic_slice",        F::Index, -1, T::Own, G::Rule},  // x, start per dim
  {Op::DynamicUpdateSlice, "dynamic_update_slice", F::Index, -1, T::Own, G::Rule},  // x, update, start per dim

  {Op::Reduce,  "reduce",  F::Reduce, 1, T::Own, G::Rule},
  {Op::ArgMax,  "argmax",  F::Reduce, 1, T::Own, G::Zero},
  {Op::ArgMin,  "argmin",  F::Reduce, 1, T::Own, G::Zero},
  {Op::Scan,    "scan",    F::Scan, 1, T::Own, G::Rule},
  {Op::ArgSort, "argsort", F::Scan, 1, T::Own, G::Zero},

  {Op::Contract, "contract", F::Contract, 2, T::Own, G::Rule},
  {Op::Window,   "window",   F::Window, 1, T::Own, G::Rule},
  {Op::Fold,     "fold",     F::Window, 1, T::Own, G::Rule},

  {Op::Softmax,   "softmax",   F::Raised, 1, T::Own, G::Rule},
  {Op::LogSumExp, "logsumexp", F::Raised, 1, T::Own, G::Rule},
  {Op::Variance,  "variance",  F::Raised, 1, T::Own, G::Rule},
};
// clang-format on
#undef TESSERA_F
#undef TESSERA_I

static_assert(std::size(table) == op_count, "every Op has one row");
consteval bool in_order() {
  for (int i = 0; i < op_count; ++i)
    if (static_cast<int>(table[i].op) != i) return false;
  return true;
}
static_assert(in_order(), "rows stand in the order of the enum");
}  // namespace rows

constexpr std::span<const OpRow> op_table() { return rows::table; }
constexpr const OpRow& row(Op op) { return rows::table[static_cast<int>(op)]; }
constexpr std::string_view name(Op op) { return row(op).name; }

}  // namespace tessera
