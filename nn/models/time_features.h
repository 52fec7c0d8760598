#pragma once
// The time of a diffusion process as numbers that a network can tell apart.
// Ho et al., "Denoising Diffusion Probabilistic Models", 2020, after the positions of Vaswani et al., 2017.

#include <tessera/core/tensor.h>

namespace tessera::nn {

// sin and cos of 1000·t at frequencies from 1 down to 1/10⁴: [N] → [N, features].
Tensor time_features(Operand t, int64_t features);

}  // namespace tessera::nn
