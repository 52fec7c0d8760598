#include <tessera/core/fault.h>
#include <tessera/nn/optim/adam.h>

#include <cmath>

namespace tessera::optim {
namespace {

// 1 − βᵗ by expm1: in f32 the plain form loses four digits in the first steps.
Tensor bias_correction(double beta, const Tensor& t) { return -expm1(t * std::log(beta)); }

}  // namespace

Adam::Adam(std::vector<State*> parameters, AdamOptions options, Loc at)
    : Adam(std::move(parameters), options, false, at) {}
Adam::Adam(std::vector<State*> parameters, AdamOptions options, bool decoupled, Loc at)
    : Optimizer(std::move(parameters), options.weight_decay, at),
      options_(options),
      decoupled_(decoupled),
      mean_(moments("exp_avg")),
      square_(moments("exp_avg_sq")) {}

void Adam::update(size_t i, const Tensor& grad, const Tensor& lr, const Tensor& t) {
  const auto& [beta1, beta2, eps, unused] = options_;
  State& parameter = *parameters()[i];
  Tensor p = parameter, g = grad;
  const double decay = weight_decay(i);
  if (decay != 0 && decoupled_) p = p - lr * decay * p;
  if (decay != 0 && !decoupled_) g = g + decay * p;
  Tensor m = beta1 * *mean_[i] + (1 - beta1) * g;
  Tensor v = beta2 * *square_[i] + (1 - beta2) * square(g);
  mean_[i]->assign(m);
  square_[i]->assign(v);
  Tensor rate = planted(Fault::bias_uncorrected) ? lr : lr / bias_correction(beta1, t);
  parameter.assign(p - rate * m / (sqrt(v) * rsqrt(bias_correction(beta2, t)) + eps));
}

AdamW::AdamW(std::vector<State*> parameters, AdamWOptions o, Loc at)
    : Adam(std::move(parameters), {o.beta1, o.beta2, o.eps, o.weight_decay}, true, at) {}

}  // namespace tessera::optim
