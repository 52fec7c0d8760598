// Rules of ops that look elements up by index. Gather and scatter-add are each other's rule, and so are a slice at a
// computed place and its update.

#include <numeric>

#include <tessera/autograd/vjp_rules.h>

namespace tessera::pullback {
namespace {

Tensor scatter_set(const Vjp& v, int i, int dim) {
  const Tensor indices = v.x(1);
  if (i == 0) return tessera::scatter(v.g, indices, zeros_like(v.x(2)), dim, ScatterMode::set);
  // The last of several updates of one place wins: each writes its number there and sees whose stayed.
  const Tensor numbers = reshape(arange(indices.numel(), i64), indices.shape());
  const Tensor winners =
      tessera::scatter(full({v.shape(0)[dim]}, int64_t{-1}, i64), indices, numbers, 0, ScatterMode::set);
  Dims at(static_cast<size_t>(indices.rank()));
  std::iota(at.begin(), at.end(), int64_t{dim});
  const Tensor won = broadcast_in_dim(tessera::gather(winners, indices, 0) == numbers, v.shape(2), at);
  return where(won, tessera::gather(v.g, indices, dim), 0);
}

// All that reach the maximum of a place share its gradient evenly.
Tensor scatter_max(const Vjp& v, int i, int dim) {
  const Tensor base = v.x(0), indices = v.x(1), updates = v.x(2);
  const Tensor kept = base == v.y, reached = updates == tessera::gather(v.y, indices, dim);
  const Tensor count = tessera::scatter(tessera::cast(kept, v.counts()), indices, tessera::cast(reached, v.counts()),
                                        dim, ScatterMode::add);
  const Tensor share = v.shared(count);
  return i == 0 ? where(kept, share, 0) : where(reached, tessera::gather(share, indices, dim), 0);
}

}  // namespace

Tensor gather(const Vjp& v, int i) {
  if (i == 1) return {};
  const int dim = static_cast<int>(v.as<DimAttrs>().dim);
  return tessera::scatter(zeros(v.shape(0), v.g.dtype()), v.x(1), v.g, dim, ScatterMode::add);
}

Tensor scatter(const Vjp& v, int i) {
  if (i == 1) return {};
  const ScatterAttrs& attrs = v.as<ScatterAttrs>();
  const int dim = static_cast<int>(attrs.dim);
  switch (attrs.mode) {
    case ScatterMode::add: return i == 0 ? v.g : tessera::gather(v.g, v.x(1), dim);
    case ScatterMode::set: return scatter_set(v, i, dim);
    case ScatterMode::max: return scatter_max(v, i, dim);
  }
  return {};
}

Tensor dynamic_slice(const Vjp& v, int i) {
  if (i > 0) return {};
  return tessera::dynamic_update_slice(zeros(v.shape(0), v.g.dtype()), v.g, v.from(1));
}

Tensor dynamic_update_slice(const Vjp& v, int i) {
  if (i > 1) return {};
  if (i == 1) return tessera::dynamic_slice(v.g, v.from(2), v.shape(1));
  return tessera::dynamic_update_slice(v.g, zeros(v.shape(1), v.g.dtype()), v.from(2));
}

}  // namespace tessera::pullback
