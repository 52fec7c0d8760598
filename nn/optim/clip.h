#pragma once
// Gradient clipping by the norm of all gradients together.
// Pascanu et al., "On the difficulty of training Recurrent Neural Networks", 2013.

#include <vector>

#include <tessera/core/ops.h>

namespace tessera::optim {

struct Clipped {
  std::vector<Tensor> grads;
  Tensor norm;  // before clipping
};
// g · min(1, max_norm / (‖g‖ + 1e-6)), with ‖g‖ = √Σ g² over all of them, in f32. Each keeps its dtype.
Clipped clip_grad_norm(const std::vector<Tensor>& grads, double max_norm, Loc at = Loc::here());

}  // namespace tessera::optim
