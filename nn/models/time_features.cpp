#include <tessera/nn/models/time_features.h>

#include <cmath>

#include <tessera/core/ops.h>

namespace tessera::nn {

Tensor time_features(Operand t, int64_t features) {
  const int64_t half = features / 2;
  Tensor frequency = exp(cast(arange(half), f32) * (-std::log(1e4) / static_cast<double>(half)));
  Tensor angle = unsqueeze(t, 1) * frequency * 1000.0;
  return concat({sin(angle), cos(angle)}, 1);
}

}  // namespace tessera::nn
