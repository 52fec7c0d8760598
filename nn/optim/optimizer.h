#pragma once
// An optimizer owns the moment States of the parameters that it was built for. step() assigns parameters and moments;
// inside compile() that makes them outputs of the one compiled step.
//
//   optim::AdamW opt(model.parameters(), {.weight_decay = 0.1});
//   opt.group("*.bias|*norm*", {.weight_decay = 0});
//   opt.step(grad(loss, model.parameters()), lr);
//
// Moments are named after their parameter ("layers.0.mlp.up.weight.exp_avg") and live as long as the optimizer, which
// must not outlive the parameters.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tessera/core/ops.h>
#include <tessera/core/state.h>

namespace tessera::optim {

// What a group changes; what is left out stays as it was.
struct GroupOptions {
  std::optional<double> weight_decay = std::nullopt;  // at first that of the optimizer's options
  std::optional<double> lr_scale = std::nullopt;      // multiplies the lr of step(); at first 1
};

class Optimizer {
 public:
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;
  virtual ~Optimizer();

  // Parameters whose name matches (nn/glob.h) follow these options. Of several groups that set one option the
  // latest wins. ValueError when the pattern matches none.
  void group(const std::string& pattern, GroupOptions, Loc at = Loc::here());
  // One update. grads: in the order of the parameters, each of its parameter's shape. lr: a number, which is f32, or
  // a tensor, rank 0 as a rule, that stretches to each parameter. Both promote with the parameter: one of f32 takes
  // gradients of bf16. ValueError when the number of gradients differs, ShapeError when a shape does, and DTypeError
  // when what comes out is not of the parameter's dtype, as of a bf16 parameter with a gradient or an lr of f32.
  void step(const std::vector<Tensor>& grads, Operand lr);

  const std::vector<State*>& parameters() const { return parameters_; }
  std::vector<State*> states() const;  // step count and moments: what a checkpoint holds

 protected:
  // ValueError, naming `at`, when there are no parameters.
  Optimizer(std::vector<State*> parameters, double weight_decay, Loc at = Loc::here());
  // States that start as zeros, one per parameter; returned in the order of the parameters.
  std::vector<State*> moments(const std::string& suffix);
  double weight_decay(size_t parameter) const { return groups_[parameter].weight_decay; }

  // Assigns parameter i and its moments. lr is that of its group; t is 1 in the first step (f32).
  virtual void update(size_t i, const Tensor& grad, const Tensor& lr, const Tensor& t) = 0;

 private:
  struct Group {
    double weight_decay, lr_scale;
  };
  std::vector<State*> parameters_;
  std::vector<Group> groups_;  // one per parameter
  State step_;
  std::vector<std::unique_ptr<State>> moments_;
};

}  // namespace tessera::optim
