#pragma once
// y = x·Wᵀ + b over the last dim: x [.., in], weight [out, in], bias [out], y [.., out].

#include <optional>

#include <tessera/nn/module.h>

namespace tessera::nn {

struct Linear;
struct LinearOptions {
  using Layer = Linear;
  int64_t in, out;
  bool bias = true;
};

struct Linear : Module<Linear> {
  LinearOptions options;
  Param weight;
  std::optional<Param> bias;

  Linear(ModuleBase* parent, MemberName name, LinearOptions);
  Tensor forward(Tensor x);
  std::string details() const override;
};

}  // namespace tessera::nn
