#include <tessera/nn/optim/clip.h>

namespace tessera::optim {

Clipped clip_grad_norm(const std::vector<Tensor>& grads, double max_norm, Loc at) {
  ScopeGuard scope("clip_grad_norm", at);
  Tensor total = scalar(0.0, f32);
  for (const Tensor& g : grads) total = total + sum(square(cast(g, f32)));
  Clipped out{{}, sqrt(total)};
  Tensor scale = minimum(max_norm / (out.norm + 1e-6), 1);
  for (const Tensor& g : grads) out.grads.push_back(cast(g * scale, g.dtype()));
  return out;
}

}  // namespace tessera::optim
