#include "tests/ops/op_cases.h"

#include <functional>
#include <limits>

#include <tessera/core/error.h>
#include <tessera/core/ops.h>
#include <tessera/core/random.h>

#include "tests/support/host_data.h"

namespace tessera::testing {
namespace {

using Call1 = Tensor (*)(Operand);
using Call2 = Tensor (*)(Operand, Operand);

Call1 unary(Op op) {
  switch (op) {
    case Op::Neg: return [](Operand x) { return -x; };
    case Op::Abs: return abs;
    case Op::Exp: return exp;
    case Op::Exp2: return exp2;
    case Op::Log: return log;
    case Op::Log1p: return log1p;
    case Op::Expm1: return expm1;
    case Op::Tanh: return tanh;
    case Op::Erf: return erf;
    case Op::Sigmoid: return sigmoid;
    case Op::Sqrt: return sqrt;
    case Op::Rsqrt: return rsqrt;
    case Op::Recip: return reciprocal;
    case Op::Sin: return sin;
    case Op::Cos: return cos;
    case Op::Floor: return floor;
    case Op::Ceil: return ceil;
    case Op::Round: return round;
    case Op::Sign: return sign;
    case Op::Not: return [](Operand x) { return x.tensor().dtype() == boolean ? !x : ~x; };
    case Op::IsFinite: return is_finite;
    default: return nullptr;
  }
}

Call2 binary(Op op) {
  switch (op) {
    case Op::Add: return [](Operand x, Operand y) { return x + y; };
    case Op::Sub: return [](Operand x, Operand y) { return x - y; };
    case Op::Mul: return [](Operand x, Operand y) { return x * y; };
    case Op::Div: return [](Operand x, Operand y) { return x / y; };
    case Op::FloorDiv: return floor_divide;
    case Op::Rem: return remainder;
    case Op::Pow: return pow;
    case Op::Min: return minimum;
    case Op::Max: return maximum;
    case Op::And: return [](Operand x, Operand y) { return x & y; };
    case Op::Or: return [](Operand x, Operand y) { return x | y; };
    case Op::Xor: return [](Operand x, Operand y) { return x ^ y; };
    case Op::Equal: return [](Operand x, Operand y) { return x == y; };
    case Op::NotEqual: return [](Operand x, Operand y) { return x != y; };
    case Op::Less: return [](Operand x, Operand y) { return x < y; };
    case Op::LessEqual: return [](Operand x, Operand y) { return x <= y; };
    case Op::Greater: return [](Operand x, Operand y) { return x > y; };
    case Op::GreaterEqual: return [](Operand x, Operand y) { return x >= y; };
    default: return nullptr;
  }
}

constexpr DType compute_dtypes[] = {f64, f32, f16, bf16, i64, i32, i16, i8, u32, u8, boolean};

bool accepts(const OpRow& r, DType t) {
  switch (r.types) {
    case TypeRule::Any: return true;
    case TypeRule::Numeric: return t != boolean;
    case TypeRule::Float: return is_float(t);
    case TypeRule::Bool: return t == boolean;
    case TypeRule::Bits: return !is_float(t);
    case TypeRule::Compare: return true;
    case TypeRule::Own: return t != boolean;
  }
  return false;
}

// Gathers the cases of one op. Data is seeded by the op and the number of the case.
class Builder {
 public:
  explicit Builder(Op op) : row_(row(op)), draw_(static_cast<uint64_t>(op) + 1) {}

  Tensor data(DType dtype, const Shape& shape, Domain domain) { return random_tensor(draw_, dtype, shape, domain); }
  Tensor data(DType dtype, const Shape& shape) { return data(dtype, shape, row_.domain); }

  void add(const std::string& name, std::vector<Tensor> inputs, Tensor output, bool differentiable = true) {
    bool rule = row_.gradient == Gradient::Rule && differentiable && is_float(output.dtype());
    cases.push_back({std::string(row_.name) + " " + name, std::move(inputs), std::move(output), rule});
  }

  // The shapes every elementwise op is tried on; `f` gets a function that makes the operand.
  static std::vector<Shape> shapes() { return {{}, {1}, {0, 3}, {3, 5, 7}, {37, 67}}; }

  void elementwise(Call1 f) {
    for (DType t : compute_dtypes) {
      if (!accepts(row_, t)) continue;
      for (const Shape& shape : shapes()) {
        Tensor x = data(t, shape);
        add(std::string(name(t)) + shape.str(), {x}, f(x));
      }
      if (!is_float(t) && t != boolean) add(std::string(name(t)) + " extremes", {extremes(t)}, f(extremes(t)));
      Tensor base = data(t, {6, 9, 5});
      add(std::string(name(t)) + " transposed", {base}, f(permute(base, {2, 0, 1})));
      add(std::string(name(t)) + " sliced", {base}, f(slice(base, {Range{1, 6, 2}, Range{2, 8, 3}})));
    }
    if (accepts(row_, f32)) add("f32 special", {special(f32)}, f(special(f32)), false);
  }

  void elementwise(Call2 f) {
    for (DType t : compute_dtypes) {
      if (!accepts(row_, t)) continue;
      for (const Shape& shape : shapes()) {
        Tensor x = data(t, shape), y = data(t, shape, row_.second);
        add(std::string(name(t)) + shape.str(), {x, y}, f(x, y));
      }
      if (!is_float(t) && t != boolean && row_.op != Op::Pow) {
        Tensor e = extremes(t);
        add(std::string(name(t)) + " extremes", {e}, f(unsqueeze(e, 1), unsqueeze(e, 0)));
      }
      Tensor x = data(t, {3, 1, 7}), y = data(t, {5, 1}, row_.second);
      add(std::string(name(t)) + " broadcast", {x, y}, f(x, y));
      Tensor a = data(t, {9, 6}), b = data(t, {6, 9}, row_.second);
      add(std::string(name(t)) + " one transposed", {a, b}, f(transpose(a), b));
    }
    // floor_div and rem divide in the dtype: where that quotient overflows, f64 still has one.
    if (accepts(row_, f32) && row_.op != Op::FloorDiv && row_.op != Op::Rem) {
      Tensor x = special(f32), y = special(f32);
      add("f32 special", {x, y}, f(unsqueeze(x, 1), unsqueeze(y, 0)), false);
    }
  }

  // Where signed and unsigned, and narrow and wide integers come apart.
  static Tensor extremes(DType t) {
    const int bits = static_cast<int>(8 * size_of(t));
    const uint64_t top = uint64_t{1} << (bits - 1);
    std::vector<uint64_t> values{0, 1, 2, 3, 100, top - 1, top, top + 1, 2 * top - 3, 2 * top - 2, 2 * top - 1};
    auto buffer = std::make_shared<Buffer>(values.size() * size_of(t));
    for (size_t i = 0; i < values.size(); ++i) {
      // As the dtype reads these bits.
      auto value = static_cast<int64_t>(values[i]);
      if (!is_unsigned(t) && bits < 64 && values[i] >= top)
        value = static_cast<int64_t>(values[i]) - (int64_t{1} << bits);
      store_int(buffer->data(), t, static_cast<int64_t>(i), value);
    }
    return tensor_from(std::move(buffer), t, {static_cast<int64_t>(values.size())});
  }

  std::vector<Case> cases;

 private:
  Tensor special(DType t) {
    constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
    std::vector<double> values{0,      -0.0, 1,     -1,   0.5,   -0.5, 1.5,  2.5, 1e-40,
                               -1e-40, 3e38, -3e38, 88.7, -87.3, inf,  -inf, nan};
    int64_t n = static_cast<int64_t>(values.size());
    return from_doubles(values, t, {n});
  }

  const OpRow& row_;
  Draw draw_;
};

// The second half of a vector before the first.
Tensor flip_halves(const Tensor& x) {
  int64_t half = x.size(0) / 2;
  return concat({slice(x, 0, Range{half, x.size(0)}), slice(x, 0, Range{0, half})}, 0);
}

std::string label(DType t, const std::string& what) { return std::string(name(t)) + " " + what; }

constexpr DType some_dtypes[] = {f64, f32, bf16, i32, u8, boolean};  // where an op only moves data
constexpr DType number_dtypes[] = {f64, f32, f16, bf16, i64, i32, u32, i8, u8};
constexpr DType float_dtypes[] = {f64, f32, f16, bf16};

void structured(Op op, Builder& b) {
  switch (op) {
    case Op::Input: b.add("passes through", {b.data(f32, {3, 4})}, b.data(f32, {3, 4}), false); break;
    case Op::Constant:
      for (DType t : some_dtypes) b.add(label(t, "full"), {}, full({3, 5}, 1.0, t));
      b.add("f32 scalar", {}, full({}, -2.5, f32));
      b.add("f32 empty", {}, full({0, 2}, 3.0, f32));
      break;
    case Op::Iota:
      for (DType t : {f64, f32, i64, i32, u8})
        for (int dim : {0, 1, 2}) b.add(label(t, "dim " + std::to_string(dim)), {}, iota({3, 5, 7}, dim, t));
      b.add("empty", {}, iota({0, 3}, 1));
      break;
    case Op::Random:
      b.add("uniform", {}, uniform({3, 5, 7}));
      b.add("bits", {}, random_bits(Shape{37}));
      b.add("scalar", {}, uniform(Shape{}));
      b.add("transposed", {}, transpose(uniform({6, 9})));
      b.add("fused", {}, uniform({6, 9}) * 2.0 + 1.0);
      break;
    case Op::Cast:
      for (DType from : all_dtypes)
        for (DType to : all_dtypes) {
          Tensor x = b.data(from, {3, 5}, {-3, 3});
          b.add(label(from, "to " + std::string(name(to))), {x}, cast(x, to));
        }
      for (DType to : all_dtypes) {
        Tensor x = from_doubles({0, -0.0, 0.5, -0.5, 1.5, -1.5, 300, -300, 70000, -70000, 3e9, -3e9, 1e20, -1e20, 1e-8,
                                 std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(),
                                 std::numeric_limits<double>::quiet_NaN()},
                                f32, {18});
        b.add("extremes to " + std::string(name(to)), {x}, cast(x, to), false);
      }
      break;
    case Op::Select:
      for (DType t : some_dtypes) {
        Tensor c = b.data(boolean, {4, 1}), x = b.data(t, {4, 9}), y = b.data(t, {9});
        b.add(label(t, "broadcast"), {c, x, y}, where(c, x, y));
      }
      break;
    case Op::StopGradient:
    case Op::Barrier: {
      Tensor x = b.data(f32, {3, 5});
      b.add("f32", {x}, op == Op::Barrier ? barrier(x * 2.0) + 1.0 : stop_gradient(x * 2.0) + 1.0);
      break;
    }
    case Op::Broadcast:
      for (DType t : some_dtypes) {
        Tensor x = b.data(t, {3, 1}), s = b.data(t, {});
        b.add(label(t, "rows"), {x}, broadcast_to(x, {2, 3, 5}));
        b.add(label(t, "scalar"), {s}, broadcast_to(s, {4}));
        b.add(label(t, "to empty"), {s}, broadcast_to(s, {0, 2}));
        Tensor v = b.data(t, {5});
        b.add(label(t, "in dim 0"), {v}, broadcast_in_dim(v, {5, 3}, {0}));
      }
      break;
    case Op::Reshape:
      for (DType t : some_dtypes) {
        Tensor x = b.data(t, {4, 6});
        b.add(label(t, "split"), {x}, reshape(x, {2, 2, 3, 2}));
        b.add(label(t, "of a transpose"), {x}, reshape(transpose(x), {8, 3}));
        b.add(label(t, "merge"), {x}, reshape(x, {-1}));
      }
      b.add("empty", {b.data(f32, {0, 3})}, reshape(b.data(f32, {0, 3}), {3, 0}));
      break;
    case Op::Transpose:
      for (DType t : some_dtypes) {
        Tensor x = b.data(t, {3, 4, 5});
        b.add(label(t, "021"), {x}, permute(x, {0, 2, 1}));
        b.add(label(t, "210"), {x}, permute(x, {2, 1, 0}));
        Tensor big = b.data(t, {37, 67});
        b.add(label(t, "37x67"), {big}, transpose(big));
      }
      break;
    case Op::Slice:
      for (DType t : some_dtypes) {
        Tensor x = b.data(t, {7, 9});
        b.add(label(t, "strided"), {x}, slice(x, {Range{1, 7, 2}, Range{0, 9, 4}}));
        b.add(label(t, "empty"), {x}, slice(x, 0, Range{3, 3}));
        b.add(label(t, "last"), {x}, slice(x, 1, Range{-1}));
      }
      break;
    case Op::Pad:
      for (DType t : {f64, f32, bf16, i32}) {
        Tensor x = b.data(t, {3, 4});
        b.add(label(t, "edges"), {x}, pad(x, {{1, 2, 0}, {0, 3, 0}}, 2));
        b.add(label(t, "interior"), {x}, pad(x, {{0, 1, 2}, {2, 0, 1}}));
      }
      break;
    case Op::Concat:
      for (DType t : some_dtypes) {
        Tensor x = b.data(t, {3, 4}), y = b.data(t, {3, 2}), z = b.data(t, {3, 0});
        b.add(label(t, "dim 1"), {x, y, z}, concat({x, y, z}, 1));
        b.add(label(t, "dim 0"), {x}, concat({x, x}, 0));
      }
      break;
    case Op::Reverse:
      for (DType t : some_dtypes) {
        Tensor x = b.data(t, {3, 37});
        b.add(label(t, "1"), {x}, reverse(x, {1}));
        b.add(label(t, "0 1"), {x}, reverse(x, {0, 1}));
      }
      break;
    case Op::Gather:
      for (DType t : some_dtypes) {
        Tensor x = b.data(t, {6, 5}), i = tensor<int32_t>({5, 0, 3, 3}),
               j = tensor<int64_t>({4, 1, 0, 0, 2, 2}, {2, 3});
        b.add(label(t, "rows"), {x}, gather(x, i, 0));
        b.add(label(t, "columns by a matrix"), {x}, gather(x, j, 1));
        b.add(label(t, "none"), {x}, gather(x, slice(i, 0, Range{0, 0}), 0));
        Tensor along = tensor<int64_t>({1, 0, 5, 2, 2, 4, 0, 0, 1, 1}, {2, 5});
        b.add(label(t, "along"), {x}, take_along(x, along, 0));
      }
      break;
    case Op::Scatter:
      for (DType t : number_dtypes) {
        Tensor base = b.data(t, {6, 5}), i = tensor<int32_t>({5, 0, 3, 3}), u = b.data(t, {4, 5});
        b.add(label(t, "add"), {base, u}, scatter(base, i, u, 0, ScatterMode::add));
        b.add(label(t, "set, last wins"), {base, u}, scatter(base, i, u, 0, ScatterMode::set));
        b.add(label(t, "max"), {base, u}, scatter(base, i, u, 0, ScatterMode::max));
        Tensor v = b.data(t, {6, 2}), j = tensor<int64_t>({4, 4}, {2});
        b.add(label(t, "add columns"), {base, v}, scatter(base, j, v, 1, ScatterMode::add));
      }
      break;
    case Op::DynamicSlice:
      for (DType t : some_dtypes) {
        Tensor x = b.data(t, {6, 5});
        auto at = [](int64_t i) { return tensor_from(&i, i64, {}); };
        b.add(label(t, "inside"), {x}, dynamic_slice(x, {at(2), at(1)}, {3, 2}));
        b.add(label(t, "clamped"), {x}, dynamic_slice(x, {at(9), at(-4)}, {3, 2}));
      }
      break;
    case Op::DynamicUpdateSlice:
      for (DType t : some_dtypes) {
        Tensor x = b.data(t, {6, 5}), u = b.data(t, {3, 2});
        auto at = [](int64_t i) { return tensor_from(&i, i64, {}); };
        b.add(label(t, "inside"), {x, u}, dynamic_update_slice(x, u, {at(2), at(1)}));
        b.add(label(t, "clamped"), {x, u}, dynamic_update_slice(x, u, {at(9), at(-4)}));
      }
      break;
    case Op::Reduce:
      for (DType t : number_dtypes) {
        Tensor x = b.data(t, {3, 5, 37}, {0.5, 1.5}), s = b.data(t, {}), e = b.data(t, {2, 0});
        b.add(label(t, "sum last"), {x}, sum(x, {2}));
        b.add(label(t, "sum first"), {x}, sum(x, {0}));
        b.add(label(t, "sum middle, keepdim"), {x}, sum(x, {1}, true));
        b.add(label(t, "sum outer two"), {x}, sum(x, {0, 2}));
        b.add(label(t, "sum all"), {x}, sum(x));
        b.add(label(t, "sum scalar"), {s}, sum(s));
        b.add(label(t, "sum empty"), {e}, sum(e, {1}));
        b.add(label(t, "max last"), {x}, max(x, {2}));
        b.add(label(t, "min first"), {x}, min(x, {0}));
        b.add(label(t, "max all"), {x}, max(x));
        if (!is_float(t)) {
          Tensor low = b.extremes(t), high = flip_halves(low);
          b.add(label(t, "extremes"), {low}, max(low));
          b.add(label(t, "extremes, min"), {low}, min(low));
          b.add(label(t, "extremes in one body"), {low}, min(maximum(unsqueeze(low, 1), unsqueeze(high, 0)), {1}));
          b.add(label(t, "extremes, columns"), {low}, max(minimum(unsqueeze(low, 1), unsqueeze(high, 0)), {0}));
        }
        Tensor small = b.data(t, {4, 3}, {0.5, 1.5});
        b.add(label(t, "prod"), {small}, prod(small, {1}));
        b.add(label(t, "sum of transposed"), {x}, sum(permute(x, {2, 0, 1}), {2}));
      }
      b.add("any", {}, any(b.data(boolean, {4, 9}), {1}));
      b.add("all", {}, all(b.data(boolean, {4, 9}), {0}));
      break;
    case Op::ArgMax:
    case Op::ArgMin:
      for (DType t : number_dtypes)
        for (int dim : {0, 1, 2}) {
          Tensor x = b.data(t, {3, 5, 7});
          b.add(label(t, "dim " + std::to_string(dim)), {x}, op == Op::ArgMax ? argmax(x, dim) : argmin(x, dim));
        }
      break;
    case Op::Scan:
      for (DType t : number_dtypes) {
        Tensor x = b.data(t, {3, 7, 5}, {0.5, 1.5});
        for (int dim : {0, 1, 2}) b.add(label(t, "sum " + std::to_string(dim)), {x}, cumsum(x, dim));
        b.add(label(t, "sum reversed"), {x}, cumsum(x, 1, true));
        b.add(label(t, "max"), {x}, cummax(x, 1));
        if (is_float(t)) b.add(label(t, "prod"), {x}, cumprod(x, 1));
      }
      break;
    case Op::ArgSort:
      for (DType t : number_dtypes)
        for (bool descending : {false, true}) {
          Tensor x = b.data(t, {4, 33});
          b.add(label(t, descending ? "descending" : "ascending"), {x}, argsort(x, 1, descending));
          b.add(label(t, "dim 0"), {x}, argsort(x, 0, descending));
        }
      break;
    case Op::Contract:
      for (DType t : number_dtypes) {
        auto two = [&](const char* spec, Shape x, Shape y) {
          Tensor p = b.data(t, x, {0.1, 1}), q = b.data(t, y, {-1, 1});
          b.add(label(t, spec), {p, q}, einsum(spec, p, q));
        };
        two("mk,kn->mn", {5, 7}, {7, 9});
        two("mk,nk->mn", {33, 40}, {35, 40});
        two("km,kn->mn", {40, 33}, {40, 35});
        two("bmk,bkn->bmn", {3, 5, 7}, {3, 7, 9});
        two("bhqd,bhkd->bhqk", {2, 3, 17, 8}, {2, 3, 19, 8});
        two("k,k->", {37}, {37});
        two("m,n->mn", {5}, {9});
        two("mk,kn->mn", {1, 1}, {1, 1});
        two("mk,kn->mn", {3, 0}, {0, 4});
        two("ab,bc->ac", {67, 70}, {70, 69});
      }
      for (DType t : float_dtypes) {
        auto conv = [&](const char* what, int64_t stride, int64_t dilation, int64_t padding, int64_t kernel) {
          Tensor x = b.data(t, {2, 3, 9, 8}, {0.1, 1}), w = b.data(t, {4, 3, kernel, kernel}, {-1, 1});
          std::vector<WindowRelation> windows{{'h', 'p', 'r', stride, dilation, padding},
                                              {'w', 'q', 's', stride, dilation, padding}};
          b.add(label(t, what), {x, w}, contract(x, w, "nchw,kcrs->nkpq", windows));
        };
        conv("conv 3x3 pad 1", 1, 1, 1, 3);
        conv("conv 3x3 stride 2 pad 1", 2, 1, 1, 3);
        conv("conv 1x1", 1, 1, 0, 1);
        conv("conv 2x2 stride 2", 2, 1, 0, 2);
        conv("conv 3x3 dilation 2 pad 2", 1, 2, 2, 3);
        conv("conv 3x3 stride 3 dilation 2 pad 1", 3, 2, 1, 3);
        Tensor x = b.data(t, {2, 2, 3, 10}, {0.1, 1}), w = b.data(t, {2, 4, 3, 3}, {-1, 1});
        b.add(label(t, "grouped conv1d"), {x, w}, contract(x, w, "ngcl,gkcr->ngkp", {{'l', 'p', 'r', 1, 1, 1}}));
        Tensor y = b.data(t, {2, 4, 5, 4}, {0.1, 1}), v = b.data(t, {4, 3, 3, 3}, {-1, 1});
        b.add(label(t, "transposed conv, stride 2"), {y, v},
              contract(y, v, "nkpq,kcrs->nchw", {{'h', 'p', 'r', 2, 1, 1}, {'w', 'q', 's', 2, 1, 1}},
                       {{'h', 9}, {'w', 7}}));
      }
      break;
    case Op::Window:
      for (DType t : {f64, f32, bf16, i32}) {
        Tensor x = b.data(t, {2, 7, 9});
        b.add(label(t, "2 dims"), {x}, window(x, {{1, 2}, {3, 2}, {2, 3}, {1, 2}}));
        b.add(label(t, "pool"), {x}, max(window(x, {{1, 2}, {2, 2}, {2, 2}, {1, 1}}), {3, 4}));
      }
      break;
    case Op::Fold:
      for (DType t : {f64, f32, bf16, i32}) {
        WindowAttrs attrs{{1, 2}, {3, 2}, {2, 3}, {1, 2}};
        Tensor shape_of = window(b.data(t, {2, 7, 9}), attrs);
        Tensor x = b.data(t, shape_of.shape());
        b.add(label(t, "2 dims"), {x}, fold(x, {2, 7, 9}, attrs));
        Tensor y = b.data(t, {2, 3, 2, 2, 4});
        Tensor z = b.data(t, {2, 3, 2});
        b.add(label(t, "with gaps"), {z}, fold(z, {2, 9}, {{1}, {2}, {3}, {1}}));
        b.add(label(t, "side by side"), {y}, fold(y, {2, 6, 8}, {{1, 2}, {2, 4}, {2, 4}, {1, 1}}));
      }
      break;
    case Op::Softmax:
    case Op::LogSumExp:
      for (DType t : float_dtypes) {
        auto f = [&](Tensor x, int dim) { return op == Op::Softmax ? softmax(x, dim) : logsumexp(x, dim); };
        Tensor x = b.data(t, {5, 37}, {-4, 4}), y = b.data(t, {3, 9, 5}, {-4, 4});
        b.add(label(t, "last"), {x}, f(x, 1));
        b.add(label(t, "middle"), {y}, f(y, 1));
        constexpr double inf = std::numeric_limits<double>::infinity();
        Tensor masked = from_doubles({-inf, -inf, -inf, 1, -inf, 2}, t, {2, 3});
        b.add(label(t, "a masked row"), {masked}, f(masked, 1), false);
      }
      break;
    case Op::Variance:
      for (DType t : float_dtypes) {
        Tensor x = b.data(t, {5, 37}), y = b.data(t, {3, 9, 5});
        b.add(label(t, "last"), {x}, variance(x, {1}));
        b.add(label(t, "outer"), {y}, variance(y, {0, 2}, true));
      }
      break;
    default: throw InternalError("no cases for op '" + std::string(name(op)) + "': add them to tests/ops/op_cases.cpp");
  }
}

}  // namespace

std::vector<Case> cases_of(Op op) {
  Builder builder(op);
  if (Call1 f = unary(op)) builder.elementwise(f);
  else if (Call2 g = binary(op)) builder.elementwise(g);
  else structured(op, builder);
  return std::move(builder.cases);
}

}  // namespace tessera::testing
