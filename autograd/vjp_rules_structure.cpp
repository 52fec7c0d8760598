// Rules of ops that move elements: each is the move back, and a sum where an element went to several places.

#include <algorithm>

#include <tessera/autograd/vjp_rules.h>
#include <tessera/core/fault.h>

namespace tessera::pullback {

Tensor broadcast(const Vjp& v, int) {
  const Dims& dims = v.as<DimsAttrs>().dims;
  const Shape &small = v.shape(0), &big = v.y.shape();
  Dims stretched;
  for (int d = 0; d < big.rank(); ++d) {
    const auto source = std::find(dims.begin(), dims.end(), d);
    const int64_t had = source == dims.end() ? 1 : small[static_cast<int>(source - dims.begin())];
    if (had != big[d]) stretched.push_back(d);
  }
  if (planted(Fault::skip_unbroadcast)) return reshape(stretched.empty() ? v.g : mean(v.g, stretched), small);
  return reshape(stretched.empty() ? v.g : sum(v.g, stretched), small);
}

Tensor transpose(const Vjp& v, int) {
  const Dims& dims = v.as<DimsAttrs>().dims;
  Dims inverse(dims.size());
  for (size_t i = 0; i < dims.size(); ++i) inverse[static_cast<size_t>(dims[i])] = static_cast<int64_t>(i);
  return permute(v.g, inverse);
}

Tensor slice(const Vjp& v, int) {
  if (v.g.numel() == 0) return {};
  const SliceAttrs& cut = v.as<SliceAttrs>();
  std::vector<PadDim> edges;
  for (size_t d = 0; d < cut.start.size(); ++d) {
    const int64_t last = cut.start[d] + (v.g.shape().dims()[d] - 1) * cut.step[d];
    edges.push_back({cut.start[d], v.shape(0).dims()[d] - 1 - last, cut.step[d] - 1});
  }
  return tessera::pad(v.g, edges);
}

Tensor pad(const Vjp& v, int) {
  if (v.shape(0).numel() == 0) return {};
  const PadAttrs& edges = v.as<PadAttrs>();
  std::vector<Range> inside;
  for (size_t d = 0; d < edges.low.size(); ++d) {
    const int64_t step = edges.interior[d] + 1, last = edges.low[d] + (v.shape(0).dims()[d] - 1) * step;
    inside.push_back({edges.low[d], last + 1, step});
  }
  return tessera::slice(v.g, inside);
}

Tensor concat(const Vjp& v, int i) {
  const int dim = static_cast<int>(v.as<DimAttrs>().dim);
  int64_t start = 0;
  for (int k = 0; k < i; ++k) start += v.shape(k)[dim];
  return tessera::slice(v.g, dim, {start, start + v.shape(i)[dim]});
}

}  // namespace tessera::pullback
