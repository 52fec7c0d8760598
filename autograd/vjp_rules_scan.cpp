// Rules of scans. `later` is +1 when the scan runs upwards and −1 when it runs downwards.

#include <limits>

#include <tessera/autograd/vjp_rules.h>

namespace tessera::pullback {
namespace {

// y_k = Π_{i≤k} x_i, so ∂loss/∂x_i = P_i · S_i with P_i = Π_{j<i} x_j and S_i = g_i + x_{i+1} · S_{i+1}. Nothing is
// divided, so zeros are like any other number. The recurrence is solved by doubling in ⌈log₂ n⌉ steps (Hillis & Steele,
// "Data Parallel Algorithms", 1986): s holds S cut off after `reach` terms, a the product that leads to the next one.
Tensor product(const Vjp& v, int dim, int later, bool reverse) {
  const Tensor x = v.x(0);
  const Tensor before = cumprod(shifted(x, dim, -later, 1), dim, reverse);
  Tensor s = v.g, a = shifted(x, dim, later, 0);
  for (int64_t reach = 1; reach < x.size(dim); reach *= 2) {
    s = s + a * shifted(s, dim, later * reach, 0);
    if (2 * reach < x.size(dim)) a = a * shifted(a, dim, later * reach, 0);
  }
  return before * s;
}

// Everything goes to the element that the running maximum was first reached at.
Tensor maximum(const Vjp& v, int dim, int later, bool reverse) {
  const Tensor x = v.x(0);
  const int64_t n = x.size(dim);
  const Tensor raised = x > shifted(v.y, dim, -later, -std::numeric_limits<double>::infinity());
  const Tensor place = iota(x.shape(), dim, i64), order = reverse ? n - 1 - place : place;
  const Tensor latest = cummax(where(raised, order, 0), dim, reverse);
  // In the flattened tensor an element of dim is `stride` away from its neighbour.
  const int64_t stride = row_major_strides(x.shape())[static_cast<size_t>(dim)];
  const Tensor here = reshape(arange(x.numel(), i64), x.shape());
  const Tensor source = here + ((reverse ? n - 1 - latest : latest) - place) * stride;
  const Tensor flat =
      tessera::scatter(zeros({x.numel()}, v.g.dtype()), reshape(source, {-1}), reshape(v.g, {-1}), 0, ScatterMode::add);
  return reshape(flat, x.shape());
}

}  // namespace

Tensor scan(const Vjp& v, int) {
  const ScanAttrs& attrs = v.as<ScanAttrs>();
  const int dim = static_cast<int>(attrs.dim), later = attrs.reverse ? -1 : 1;
  if (v.g.numel() == 0) return {};
  switch (attrs.kind) {
    case ScanKind::sum: return cumsum(v.g, dim, !attrs.reverse);
    case ScanKind::max: return maximum(v, dim, later, attrs.reverse);
    case ScanKind::prod: return product(v, dim, later, attrs.reverse);
  }
  return {};
}

}  // namespace tessera::pullback
