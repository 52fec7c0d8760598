#pragma once
// The feed-forward half of a transformer block.

#include <tessera/nn/functional.h>
#include <tessera/nn/layers/linear.h>

namespace tessera::nn {

// down(f(up(x))).
struct Mlp;
struct MlpOptions {
  using Layer = Mlp;
  int64_t dim, hidden;
  Tensor (*activation)(Operand) = gelu;
  bool bias = true;
};
struct Mlp : Module<Mlp> {
  MlpOptions options;
  Linear up, down;

  Mlp(ModuleBase* parent, MemberName name, MlpOptions o)
      : Module(parent, std::move(name)),
        options(o),
        up{this, "up", {o.dim, o.hidden, o.bias}},
        down{this, "down", {o.hidden, o.dim, o.bias}} {}
  Tensor forward(Tensor x) { return down(options.activation(up(x))); }
};

// down(silu(gate(x)) · up(x)). Shazeer, "GLU Variants Improve Transformer", 2020.
struct SwiGlu;
struct SwiGluOptions {
  using Layer = SwiGlu;
  int64_t dim, hidden;
};
struct SwiGlu : Module<SwiGlu> {
  Linear gate, up, down;

  SwiGlu(ModuleBase* parent, MemberName name, SwiGluOptions o)
      : Module(parent, std::move(name)),
        gate{this, "gate", {o.dim, o.hidden, false}},
        up{this, "up", {o.dim, o.hidden, false}},
        down{this, "down", {o.hidden, o.dim, false}} {}
  Tensor forward(Tensor x) { return down(silu(gate(x)) * up(x)); }
};

}  // namespace tessera::nn
