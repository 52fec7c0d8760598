// Rules of reductions and of the normal forms that reduce.

#include <tessera/autograd/vjp_rules.h>

namespace tessera::pullback {
namespace {

// Each factor's gradient is the product of the others: those before it times those after it. No division, so zeros are
// like any other number. `dims` ascend, so the last one can go first without renumbering the others.
Tensor product(const Vjp& v, const Tensor& x, Dims dims, const Tensor& g) {
  const int dim = static_cast<int>(dims.back());
  dims.pop_back();
  const Tensor outer = dims.empty() ? g : product(v, prod(x, {dim}), dims, g);
  const Tensor before = cumprod(shifted(x, dim, -1, 1), dim);
  const Tensor after = cumprod(shifted(x, dim, 1, 1), dim, /*reverse=*/true);
  return v.times(v.expand(outer, {dim}, x.shape()), before * after);
}

}  // namespace

Tensor reduce(const Vjp& v, int) {
  const ReduceAttrs& attrs = v.as<ReduceAttrs>();
  switch (attrs.kind) {
    case ReduceKind::sum: return v.expand(v.g, attrs.dims, v.shape(0));
    case ReduceKind::max:
    case ReduceKind::min: {  // those that reach it share evenly
      const Tensor reached = v.x(0) == v.expand(v.y, attrs.dims, v.shape(0));
      const Tensor share = v.shared(sum(tessera::cast(reached, v.counts()), attrs.dims));
      return where(reached, v.expand(share, attrs.dims, v.shape(0)), 0);
    }
    case ReduceKind::prod: return product(v, v.x(0), attrs.dims, v.g);
  }
  return {};
}

// y · (g − Σ g·y)
Tensor softmax(const Vjp& v, int) {
  const int64_t dim = v.as<DimAttrs>().dim;
  const Tensor common = sum(v.times(v.g, v.y), {dim});
  return v.y * (v.g - v.expand(common, {dim}, v.y.shape()));
}

// y = Σ (x − μ)² / N: 2 (x − μ) / N; what flows through μ adds up to zero.
Tensor variance(const Vjp& v, int) {
  const Dims& dims = v.as<DimsAttrs>().dims;
  const Shape& shape = v.shape(0);
  const double count = static_cast<double>(shape.numel()) / static_cast<double>(v.y.numel());
  const Tensor x = v.x(0);
  return v.expand(v.g * (2 / count), dims, shape) * (x - v.expand(mean(x, dims), dims, shape));
}

}  // namespace tessera::pullback
