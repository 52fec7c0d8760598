#include <tessera/nn/layers/pool.h>

#include <limits>

#include <tessera/core/error.h>

namespace tessera::nn {
namespace {

// [N, C, P, Q, taps, taps]
Tensor windows(const Operand& x, PoolOptions o, double outside) {
  if (x.is_number() || x.tensor().rank() != 4)
    throw ShapeError({.code = "T-S106", .fault = "pooling needs [N, C, H, W]", .at = x.at()});
  const Size2 stride(o.stride.h ? o.stride.h : o.size.h, o.stride.w ? o.stride.w : o.size.w);
  Tensor data = x.tensor();
  if (o.pad.h || o.pad.w) data = pad(data, {{}, {}, {o.pad.h, o.pad.h}, {o.pad.w, o.pad.w}}, outside);
  return window(data,
                {.dims = {2, 3}, .size = {o.size.h, o.size.w}, .stride = {stride.h, stride.w}, .dilation = {1, 1}});
}

}  // namespace

Tensor max_pool2d(Operand x, PoolOptions o) {
  ScopeGuard scope("max_pool2d", x.at());
  return max(windows(x, o, -std::numeric_limits<double>::infinity()), {4, 5});
}
Tensor avg_pool2d(Operand x, PoolOptions o) {
  ScopeGuard scope("avg_pool2d", x.at());
  return mean(windows(x, o, 0), {4, 5});
}

}  // namespace tessera::nn
