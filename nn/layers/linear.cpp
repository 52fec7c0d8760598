#include <tessera/nn/layers/linear.h>

#include <tessera/nn/functional.h>
#include <tessera/nn/layers/check.h>

namespace tessera::nn {

Linear::Linear(ModuleBase* parent, MemberName name, LinearOptions o)
    : Module(parent, std::move(name)), options(o), weight{this, "weight", init::default_weight({o.out, o.in})} {
  if (o.bias) bias.emplace(this, "bias", init::default_bias(o.out, o.in));
}

Tensor Linear::forward(Tensor x) {
  check_extent(*this, x, -1, options.in);
  Tensor y = linear(x, weight);
  return bias ? y + *bias : y;
}

std::string Linear::details() const { return sizes(options.in, options.out) + (options.bias ? "" : ", no bias"); }

}  // namespace tessera::nn
