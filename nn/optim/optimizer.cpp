#include <tessera/nn/optim/optimizer.h>

#include <tessera/core/error.h>
#include <tessera/nn/glob.h>

namespace tessera::optim {

Optimizer::Optimizer(std::vector<State*> parameters, double weight_decay, Loc at)
    : parameters_(std::move(parameters)),
      groups_(parameters_.size(), Group{weight_decay, 1}),
      step_("step", scalar(int64_t{0}, i64)) {
  if (parameters_.empty())
    throw ValueError({.code = "T-V120",
                      .fault = "an optimizer without parameters",
                      .at = at,
                      .hint = "are all of the model's parameters frozen?"});
}
Optimizer::~Optimizer() = default;

void Optimizer::group(const std::string& pattern, GroupOptions options, Loc at) {
  bool found = false;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (!nn::glob_match(pattern, parameters_[i]->name())) continue;
    if (options.weight_decay) groups_[i].weight_decay = *options.weight_decay;
    if (options.lr_scale) groups_[i].lr_scale = *options.lr_scale;
    found = true;
  }
  if (!found)
    throw ValueError({.code = "T-V121",
                      .fault = "no parameter matches '" + pattern + "'",
                      .at = at,
                      .hint = "a name is a whole path, as " + parameters_.front()->name() + "; * stands for any part"});
}

std::vector<State*> Optimizer::moments(const std::string& suffix) {
  std::vector<State*> out;
  for (const State* parameter : parameters_) {
    Tensor zero = zeros(parameter->shape(), parameter->dtype());
    moments_.push_back(std::make_unique<State>(parameter->name() + "." + suffix, zero.eval()));
    out.push_back(moments_.back().get());
  }
  return out;
}

void Optimizer::step(const std::vector<Tensor>& grads, Operand lr) {
  ScopeGuard scope("optimizer", lr.at());
  if (grads.size() != parameters_.size())
    throw ValueError({.code = "T-V122",
                      .fault = "step() got " + std::to_string(grads.size()) + " gradients for " +
                               std::to_string(parameters_.size()) + " parameters",
                      .hint = "take them of the parameters that the optimizer was built with"});
  Tensor rate = lr.is_number() ? scalar(lr.number(), f32) : lr.tensor();
  Tensor count = step_ + 1;
  Tensor t = cast(count, f32);
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (grads[i].shape() != parameters_[i]->shape())
      throw ShapeError({.code = "T-S109",
                        .fault = "the gradient of " + parameters_[i]->name() + " has another shape",
                        .operands = {{"grad", describe(*grads[i].node())}, {"param", parameters_[i]->shape().str()}},
                        .hint = "gradients come in the order of the parameters, as grad() of parameters() gives them"});
    update(i, grads[i], groups_[i].lr_scale == 1 ? rate : rate * groups_[i].lr_scale, t);
  }
  step_.assign(count);
}

std::vector<State*> Optimizer::states() const {
  std::vector<State*> out{const_cast<State*>(&step_)};
  for (const auto& moment : moments_) out.push_back(moment.get());
  return out;
}

}  // namespace tessera::optim
