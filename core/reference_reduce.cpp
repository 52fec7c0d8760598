// Ops along dims: reductions, scans, the place of an extreme, sorting.
#include <algorithm>
#include <cmath>
#include <numeric>

#include <tessera/core/reference_ops.h>

namespace tessera::reference {
namespace {

Op combiner(ReduceKind kind) {
  switch (kind) {
    case ReduceKind::sum: return Op::Add;
    case ReduceKind::max: return Op::Max;
    case ReduceKind::min: return Op::Min;
    case ReduceKind::prod: return Op::Mul;
  }
  return Op::Add;
}
Op combiner(ScanKind kind) {
  switch (kind) {
    case ScanKind::sum: return Op::Add;
    case ScanKind::max: return Op::Max;
    case ScanKind::prod: return Op::Mul;
  }
  return Op::Add;
}

// The place in the result that each index of `shape` contributes to.
View without(const Shape& shape, const Dims& dims) {
  View view{0, Dims(shape.dims().size(), 0)};
  int64_t stride = 1;
  for (int64_t d = shape.rank() - 1; d >= 0; --d) {
    if (std::find(dims.begin(), dims.end(), d) != dims.end()) continue;
    view.strides[static_cast<size_t>(d)] = stride;
    stride *= shape[static_cast<int>(d)];
  }
  return view;
}

bool is_nan(double x) { return std::isnan(x); }
bool is_nan(int64_t) { return false; }

}  // namespace

void reduce(const Call& call) {
  const ReduceAttrs& attrs = call.attrs<ReduceAttrs>();
  const Op op = combiner(attrs.kind);
  const Value& operand = call.operands[0];
  compute(operand.dtype, [&]<class T>(T) {
    const std::vector<T> x = load<T>(operand);
    std::vector<T> result(static_cast<size_t>(call.shape().numel()), neutral<T>(op));
    const auto combine = formula<T>(op);
    walk(operand.shape, dense(operand.shape), without(operand.shape, attrs.dims), [&](int64_t from, int64_t to) {
      T& element = result[static_cast<size_t>(to)];
      element = combine(element, x[static_cast<size_t>(from)]);
    });
    store(call, result);
  });
}

// Biased: Σ(x − μ)² / N, the mean first.
void variance(const Call& call) {
  const Value& operand = call.operands[0];
  const View all = dense(operand.shape), kept = without(operand.shape, call.attrs<DimsAttrs>().dims);
  const std::vector<double> x = load<double>(operand);
  std::vector<double> mean(static_cast<size_t>(call.shape().numel()), 0), result = mean;
  const double count = static_cast<double>(x.size()) / static_cast<double>(mean.size());
  walk(operand.shape, all, kept,
       [&](int64_t from, int64_t to) { mean[static_cast<size_t>(to)] += x[static_cast<size_t>(from)]; });
  for (double& element : mean) element /= count;
  walk(operand.shape, all, kept, [&](int64_t from, int64_t to) {
    const double centred = x[static_cast<size_t>(from)] - mean[static_cast<size_t>(to)];
    result[static_cast<size_t>(to)] += centred * centred;
  });
  for (double& element : result) element /= count;
  store(call, result);
}

// The first of equals; NaN is more extreme than any number.
void arg_extreme(const Call& call) {
  const Value& operand = call.operands[0];
  const bool largest = call.instruction.op == Op::ArgMax;
  const Split split(operand.shape, call.attrs<DimAttrs>().dim);
  compute(operand.dtype, [&]<class T>(T) {
    const std::vector<T> x = load<T>(operand);
    int64_t to = 0;
    each_lane(split, [&](int64_t start) {
      const auto at = [&](int64_t i) { return x[static_cast<size_t>(start + i * split.inner)]; };
      int64_t best = 0;
      for (int64_t i = 1; i < split.extent && !is_nan(at(best)); ++i)
        if (is_nan(at(i)) || (largest ? at(i) > at(best) : at(i) < at(best))) best = i;
      store_int(call.result, call.dtype(), to++, best);
    });
  });
}

void scan(const Call& call) {
  const ScanAttrs& attrs = call.attrs<ScanAttrs>();
  const Split split(call.shape(), attrs.dim);
  compute(call.operands[0].dtype, [&]<class T>(T) {
    std::vector<T> x = load<T>(call.operands[0]);
    const auto combine = formula<T>(combiner(attrs.kind));
    each_lane(split, [&](int64_t start) {
      const auto at = [&](int64_t i) -> T& {
        return x[static_cast<size_t>(start + (attrs.reverse ? split.extent - 1 - i : i) * split.inner)];
      };
      for (int64_t i = 1; i < split.extent; ++i) at(i) = combine(at(i - 1), at(i));
    });
    store(call, x);
  });
}

// Stable in both directions; NaN last in both.
void argsort(const Call& call) {
  const ArgSortAttrs& attrs = call.attrs<ArgSortAttrs>();
  const Split split(call.shape(), attrs.dim);
  compute(call.operands[0].dtype, [&]<class T>(T) {
    const std::vector<T> x = load<T>(call.operands[0]);
    std::vector<int64_t> order(static_cast<size_t>(split.extent));
    each_lane(split, [&](int64_t start) {
      std::iota(order.begin(), order.end(), int64_t{0});
      std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) {
        const T a = x[static_cast<size_t>(start + i * split.inner)],
                b = x[static_cast<size_t>(start + j * split.inner)];
        if (is_nan(a) || is_nan(b)) return !is_nan(a);
        return attrs.descending ? a > b : a < b;
      });
      for (int64_t i = 0; i < split.extent; ++i)
        store_int(call.result, call.dtype(), start + i * split.inner, order[static_cast<size_t>(i)]);
    });
  });
}

}  // namespace tessera::reference
