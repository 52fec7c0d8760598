#include "tests/fuzz/random_graph.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include <tessera/autograd/grad.h>
#include <tessera/core/ops.h>
#include <tessera/core/random.h>

#include "tests/support/host_data.h"

namespace tessera::testing {
namespace {

struct Value {
  Tensor tensor;
  bool exact;  // every executor has the same bits
};

class Generator {
 public:
  Generator(uint64_t seed, std::optional<DType> of_planes) : draw_(seed), of_planes_(of_planes) {}

  RandomGraph make() {
    int64_t inputs = 2 + draw_.below(3), steps = 4 + draw_.below(20);
    base_ = draw_.below(8) == 0 ? f64 : f32;
    for (int64_t i = 0; i < inputs; ++i) add_input();
    for (int64_t i = 0; i < steps; ++i) step();
    return finish();
  }

 private:
  int64_t extent() {
    constexpr int64_t extents[] = {1, 2, 3, 4, 5, 7, 8, 16, 17, 33, 64};
    return extents[draw_.below(std::size(extents))];
  }

  Shape shape() {
    Dims dims(static_cast<size_t>(draw_.below(4)));
    int64_t n = 1;
    for (int64_t& d : dims) {
      d = n > 2000 ? 1 + draw_.below(3) : extent();
      n *= d;
    }
    return Shape(dims);
  }

  DType dtype() {
    constexpr DType others[] = {f16, bf16, i32, i64, u8, boolean};
    return draw_.below(3) ? base_ : others[draw_.below(std::size(others))];
  }

  void add_input() {
    DType t = values_.empty() ? base_ : dtype();
    Tensor x = random_tensor(draw_, t, shape());
    inputs_.push_back(x);
    push(x, true);
  }

  void push(Tensor t, bool exact) {
    // Gradient seeds and narrow integers: nothing may grow without bound.
    if (t.numel() <= 40000) values_.push_back({std::move(t), exact});
  }

  Value pick() {
    // Recent values more often, so that graphs grow deep.
    int64_t n = static_cast<int64_t>(values_.size());
    int64_t back = std::min(draw_.below(n), draw_.below(n));
    return values_[static_cast<size_t>(n - 1 - back)];
  }
  Value pick_float() {
    for (int i = 0; i < 8; ++i)
      if (Value v = pick(); is_float(v.tensor.dtype())) return v;
    return values_.front();
  }
  Value pick_exact() {
    for (int i = 0; i < 8; ++i)
      if (Value v = pick(); v.exact) return v;
    return values_.front();
  }
  // Another value that broadcasts with x, made to fit if none is there.
  Value partner(const Tensor& x) {
    for (int i = 0; i < 6; ++i)
      if (Value v = pick(); is_float(v.tensor.dtype()))
        if (auto s = broadcast(v.tensor.shape(), x.shape()); s && s->numel() <= 40000) return v;
    Dims dims = x.shape().dims();
    for (int64_t& d : dims)
      if (draw_.below(3) == 0) d = 1;
    Tensor fresh = random_tensor(draw_, base_, Shape(dims));
    inputs_.push_back(fresh);
    return {fresh, true};
  }
  int dim_of(const Tensor& x) { return static_cast<int>(draw_.below(x.rank())); }

  void step() {
    constexpr double weights[] = {5, 5, 4, 3, 2, 2, 3, 2, 3};
    double total = 0;
    for (double w : weights) total += w;
    double at = draw_.uniform(0, total);
    size_t kind = 0;
    while (kind + 1 < std::size(weights) && at >= weights[kind]) at -= weights[kind++];
    switch (kind) {
      case 0: return unary();
      case 1: return binary();
      case 2: return structure();
      case 3: return reduction();
      case 4: return raised();
      case 5: return exact_only();
      case 6: return contraction();
      case 7: return indexing();
      case 8: return plane();
    }
  }

  void unary() {
    Tensor x = pick_float().tensor;
    switch (draw_.below(12)) {
      case 0: return push(exp(tanh(x)), false);
      case 1: return push(log(1.0 + square(x)), false);
      case 2: return push(tanh(x), false);
      case 3: return push(sigmoid(x), false);
      case 4: return push(sqrt(1.0 + square(x)), false);
      case 5: return push(rsqrt(1.5 + square(x)), false);
      case 6: return push(sin(x) + cos(x), false);
      case 7: return push(erf(x), false);
      case 8: return push(-x * 0.5, false);
      case 9: return push(reciprocal(1.5 + square(tanh(x))), false);
      case 10: return push(expm1(tanh(x)) + log1p(square(x)), false);
      case 11: return push(cast(x, dtype_for_cast()), false);
    }
  }
  DType dtype_for_cast() { return draw_.below(4) ? base_ : (draw_.below(2) ? f16 : bf16); }

  void binary() {
    Tensor x = pick_float().tensor, y = partner(x).tensor;
    switch (draw_.below(7)) {
      case 0: return push(x + y, false);
      case 1: return push(x - y, false);
      case 2: return push(tanh(x) * y, false);
      case 3: return push(x / (1.0 + square(y)), false);
      // Apart where x is y: which of two equal values gets the gradient is for rounding to say.
      case 4: return push(maximum(x, y + 0.125), false);
      case 5: return push(minimum(x, y * 0.5 - 0.125), false);
      case 6: {
        Value c = pick_exact();
        if (!broadcast(c.tensor.shape(), x.shape())) return push(x + y * y * 0.1, false);
        return push(where(c.tensor > 0, broadcast_to(x, *broadcast(c.tensor.shape(), x.shape())), 0.25), false);
      }
    }
  }

  void structure() {
    Value v = pick();
    const Tensor& x = v.tensor;
    if (x.rank() == 0) return push(broadcast_to(x, {draw_.below(4) + 1, 3}), v.exact);
    int d = dim_of(x);
    switch (draw_.below(8)) {
      case 0: {
        Dims order(static_cast<size_t>(x.rank()));
        for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
        for (size_t i = order.size(); i > 1; --i)
          std::swap(order[i - 1], order[static_cast<size_t>(draw_.below(static_cast<int64_t>(i)))]);
        return push(permute(x, order), v.exact);
      }
      case 1: return push(reshape(x, {-1}), v.exact);
      case 2: return x.size(d) % 2 ? push(unsqueeze(x, d), v.exact) : push(split_dim(x, d), v.exact);
      case 3: {
        int64_t start = draw_.below(x.size(d)), stop = start + 1 + draw_.below(x.size(d) - start);
        return push(slice(x, d, Range{start, stop, 1 + draw_.below(3)}), v.exact);
      }
      case 4: {
        if (x.dtype() == boolean) return push(reverse(x, {d}), v.exact);
        std::vector<PadDim> pads(static_cast<size_t>(x.rank()));
        pads[static_cast<size_t>(d)] = {draw_.below(3), draw_.below(3), draw_.below(2)};
        return push(pad(x, pads, draw_.below(2) ? 0.0 : 1.0), v.exact);
      }
      case 5: return push(concat({x, reverse(x, {d})}, d), v.exact);
      case 6: return push(reverse(x, {d}), v.exact);
      case 7: return push(broadcast_to(unsqueeze(x, 0), prepend(2 + draw_.below(2), x.shape())), v.exact);
    }
  }
  static Shape prepend(int64_t n, const Shape& s) {
    Dims dims = s.dims();
    dims.insert(dims.begin(), n);
    return Shape(dims);
  }
  static Tensor split_dim(const Tensor& x, int d) {
    Dims dims = x.shape().dims();
    dims[static_cast<size_t>(d)] /= 2;
    dims.insert(dims.begin() + d, 2);
    return reshape(x, Shape(dims));
  }

  Dims some_dims(const Tensor& x) {
    Dims dims;
    for (int d = 0; d < x.rank(); ++d)
      if (draw_.below(2)) dims.push_back(d);
    if (dims.empty()) dims.push_back(dim_of(x));
    return dims;
  }

  void reduction() {
    Tensor x = pick_float().tensor;
    if (x.rank() == 0) return;
    Dims dims = some_dims(x);
    bool keep = draw_.below(2);
    switch (draw_.below(4)) {
      case 0: return push(mean(x, dims, keep), false);
      case 1: return push(draw_.below(2) ? max(uneven(x), dims, keep) : max(stop_gradient(x), dims, keep), false);
      case 2: return push(mean(square(x), dims, keep), false);
      case 3: return push(centered(x, dims), false);
    }
  }

  // Of a constant row a share of its size is left, or nothing: with rows below 1 that is within what is allowed for
  // cancelled terms.
  static Tensor centered(const Tensor& x, const Dims& dims) {
    const Tensor bounded = tanh(x);
    return bounded - mean(bounded, dims, true);
  }

  // A slope over x: on a flat top rounding would say which element gets the gradient of a maximum.
  static Tensor uneven(Tensor x) {
    const Tensor flat = x;
    double slope = 0.1;
    for (int d = 0; d < flat.rank(); ++d, slope *= std::sqrt(2.0))
      x = x + cast(iota(flat.shape(), d), flat.dtype()) * slope;
    return x;
  }

  void raised() {
    Tensor x = pick_float().tensor;
    if (x.rank() == 0) return;
    int d = dim_of(x);
    switch (draw_.below(5)) {
      case 0: return push(softmax(x, d), false);
      case 1: return push(logsumexp(x, d), false);
      case 2: {
        Tensor e = exp(x - max(x, {d}, true));
        return push(e / sum(e, {d}, true), false);
      }
      case 3: {
        Tensor c = centered(x, {d});
        // + 1: what rounding left of a constant row must not grow beyond what is allowed for cancelled terms.
        return push(c * rsqrt(mean(square(c), {d}, true) + 1.0), false);
      }
      case 4: return push(cumsum(x * (1.0 / static_cast<double>(x.size(d))), d, draw_.below(2)), false);
    }
  }

  void exact_only() {
    Tensor x = pick_exact().tensor;
    if (x.rank() == 0 || x.dtype() == boolean) return push(cast(x, i32) + 1, true);
    int d = dim_of(x);
    switch (draw_.below(7)) {
      case 0: return push(argmax(x, d), true);
      case 1: return push(argsort(x, d, draw_.below(2)), true);
      case 2: return push(sort(x, d), true);
      case 3: return push(x > 0, true);
      case 4: return push(floor(x), true);
      case 5: return push(remainder(cast(x, i32), 5), true);
      case 6: return push(iota(x.shape(), d) < 2, true);
    }
  }

  // a · b over one shared dim, with a fresh operand of the right shape.
  void contraction() {
    Tensor x = cast(pick_float().tensor, base_);
    if (x.rank() == 0) return;
    if (x.rank() == 1) x = unsqueeze(x, 0);
    int64_t k = x.size(-1), n = extent();
    double scale = 1 / std::sqrt(static_cast<double>(std::max<int64_t>(k, 1)));
    Tensor w = random_tensor(draw_, base_, draw_.below(2) ? Shape{k, n} : Shape{n, k});
    inputs_.push_back(w);
    Tensor y = matmul(x, w.size(0) == k ? w : transpose(w)) * scale;
    if (draw_.below(2)) {
      Tensor bias = random_tensor(draw_, base_, {n});
      inputs_.push_back(bias);
      y = y + bias;
    }
    push(draw_.below(2) ? tanh(y) : y, false);
  }

  // Scores of two long dims, what is done to them point by point and row by row, and a contraction that ends them.
  void plane() {
    constexpr int64_t lengths[] = {4, 8, 9, 16, 33, 64, 70}, widths[] = {1, 4, 8, 16, 24};
    auto one_of = [&](std::span<const int64_t> list) {
      return list[static_cast<size_t>(draw_.below(std::ssize(list)))];
    };
    const int64_t batch = 1 + draw_.below(3), heads = 1 + draw_.below(2), m = one_of(lengths), n = one_of(lengths),
                  d = one_of(widths), e = one_of(widths);
    const DType dtype = of_planes_.value_or(base_);
    auto fresh = [&](const Shape& shape) { return input(dtype, shape); };
    Tensor q = fresh({batch, heads, m, d}), k = fresh({batch, heads, n, d}), v = fresh({batch, heads, n, e});
    // What came before takes part: a computed row, so that gradients run on through it.
    if (Value x = pick_float(); draw_.below(2)) q = q + 0.5 * mean(tanh(cast(x.tensor, dtype)));
    Tensor s = einsum("bhmd,bhnd->bhmn", q, k) * (1 / std::sqrt(static_cast<double>(d)));
    for (int64_t i = draw_.below(4); i > 0; --i) s = on_scores(s, heads, m, n);
    if (draw_.below(2)) s = where(iota({m, n}, 0) >= iota({m, n}, 1), s, -std::numeric_limits<double>::infinity());
    Tensor p = weights_of(s);
    if (draw_.below(8) == 0) push(p, false);  // somebody looks at it too
    Tensor o = einsum("bhmn,bhne->bhme", p, v);
    push(draw_.below(4) == 0 ? o + unsqueeze(logsumexp(s, -1), -1) : o, false);
  }

  Tensor input(DType dtype, const Shape& shape) {
    inputs_.push_back(random_tensor(draw_, dtype, shape));
    return inputs_.back();
  }

  Tensor on_scores(const Tensor& s, int64_t heads, int64_t m, int64_t n) {
    auto fresh = [&](const Shape& shape) { return input(s.dtype(), shape); };
    switch (draw_.below(7)) {
      case 0: return 2 * tanh(s * 0.5);
      case 1: return s + fresh({heads, m, n});
      case 2: return s + fresh({m, 1});
      case 3: return s * fresh({heads, 1, 1});
      case 4: return s + gather(fresh({m + n}), iota({m, n}, 0) - iota({m, n}, 1) + n);
      case 5: return s - 0.1 * cast(iota({m, n}, 1), s.dtype());
      default: return s + square(s) * 0.1;
    }
  }

  Tensor weights_of(const Tensor& s) {
    switch (draw_.below(5)) {
      case 0: return sigmoid(s);
      case 1: {
        Tensor e = exp(s - stop_gradient(max(s, {-1}, true)));
        return e / (1.0 + sum(e, {-1}, true));
      }
      case 2: {
        Tensor e = exp(s);
        return e * rsqrt(mean(square(e), {-1}, true) + 0.1);
      }
      default: return softmax(s, -1);
    }
  }

  void indexing() {
    Value v = pick();
    const Tensor& x = v.tensor;
    if (x.rank() == 0) return;
    int d = dim_of(x);
    std::vector<int32_t> index(static_cast<size_t>(1 + draw_.below(6)));
    for (int32_t& i : index) i = static_cast<int32_t>(draw_.below(x.size(d)));
    Tensor indices = tensor(index, {static_cast<int64_t>(index.size())});
    Tensor taken = gather(x, indices, d);
    if (!is_float(x.dtype()) || draw_.below(2)) return push(taken, v.exact);
    push(scatter(x * 0.5, indices, taken, d, ScatterMode::add), false);
  }

  RandomGraph finish() {
    RandomGraph graph;
    // Kernels compute in f32 what is narrower; what rounding to f16 and bf16 does is for the comparison to find out.
    const bool has_narrow = std::ranges::any_of(
        values_, [](const Value& v) { return v.tensor.dtype() == f16 || v.tensor.dtype() == bf16; });
    const double unit = has_narrow ? epsilon(f32) : epsilon(base_), relative = 4096 * unit;
    auto check = [&](const std::string& name, const Tensor& t) {
      double eps = epsilon(t.dtype());
      graph.outputs.push_back({name, t, {eps > 0 ? relative / eps : 0, 8 * unit}});
    };
    Tensor last = values_.back().tensor;
    check("last", last);
    for (int64_t i = 1 + draw_.below(3); i > 0; --i) check("value", pick().tensor);
    Value f = pick_float();
    std::vector<Tensor> wrt;
    for (const Tensor& x : inputs_)
      if (is_float(x.dtype())) wrt.push_back(x);
    if (!f.exact) {
      std::vector<Tensor> gradients = grad(mean(tanh(cast(f.tensor, base_))), wrt);
      for (size_t i = 0; i < gradients.size(); ++i) check("gradient " + std::to_string(i), gradients[i]);
    }
    return graph;
  }

  Draw draw_;
  const std::optional<DType> of_planes_;
  DType base_ = f32;
  std::vector<Value> values_;
  std::vector<Tensor> inputs_;
};

}  // namespace

RandomGraph random_graph(uint64_t seed, std::optional<DType> of_planes) { return Generator(seed, of_planes).make(); }

}  // namespace tessera::testing
