#include <tessera/nn/optim/sgd.h>

#include <tessera/core/error.h>

namespace tessera::optim {

SGD::SGD(std::vector<State*> parameters, SGDOptions options, Loc at)
    : Optimizer(std::move(parameters), options.weight_decay, at), options_(options) {
  if (options.nesterov && (options.momentum <= 0 || options.dampening != 0))
    throw ValueError({.code = "T-V123",
                      .fault = "Nesterov's method needs a momentum and no dampening",
                      .at = at,
                      .hint = "set .momentum, as to 0.9, and leave .dampening at 0"});
  if (options.momentum != 0) momentum_ = moments("momentum_buffer");
}

void SGD::update(size_t i, const Tensor& grad, const Tensor& lr, const Tensor& t) {
  State& parameter = *parameters()[i];
  Tensor g = grad;
  if (weight_decay(i) != 0) g = g + weight_decay(i) * parameter;
  if (!momentum_.empty()) {
    Tensor m = options_.momentum * *momentum_[i];
    // The buffer starts at zero, so only dampening sets the first step apart.
    m = m + (options_.dampening == 0 ? g : where(t == 1, g, (1 - options_.dampening) * g));
    momentum_[i]->assign(m);
    g = options_.nesterov ? g + options_.momentum * m : m;
  }
  parameter.assign(parameter - lr * g);
}

}  // namespace tessera::optim
