#include <tessera/nn/optim/ema.h>

#include <fmt/format.h>

#include <tessera/core/error.h>

namespace tessera::optim {

Ema::Ema(std::vector<State*> parameters, double decay, Loc at) : parameters_(std::move(parameters)), decay_(decay) {
  if (!(decay >= 0 && decay <= 1))
    throw ValueError({.code = "T-V125",
                      .fault = fmt::format("an average needs 0 ≤ decay ≤ 1, not {}", decay),
                      .at = at,
                      .hint = "0.999 averages over about a thousand steps"});
  for (const State* parameter : parameters_)
    averages_.push_back(std::make_unique<State>(parameter->name() + ".ema", parameter->value()));
}

void Ema::update(Loc at) {
  ScopeGuard scope("ema", at);
  for (size_t i = 0; i < parameters_.size(); ++i) {
    Tensor average = *averages_[i];
    averages_[i]->assign(average + (*parameters_[i] - average) * (1 - decay_));
  }
}

std::vector<State*> Ema::states() const {
  std::vector<State*> out;
  for (const auto& average : averages_) out.push_back(average.get());
  return out;
}

Ema::Use::Use(Ema& ema) : ema_(ema) {
  for (size_t i = 0; i < ema.parameters_.size(); ++i) {
    trained_.push_back(ema.parameters_[i]->value());
    ema.parameters_[i]->assign(ema.averages_[i]->value());
  }
}
Ema::Use::~Use() {
  for (size_t i = 0; i < trained_.size(); ++i) ema_.parameters_[i]->assign(trained_[i]);
}

}  // namespace tessera::optim
