#pragma once
// Stochastic gradient descent with momentum, in PyTorch's form:
//   g ← g + λ·p      m ← µ·m + (1 − d)·g, and m ← g in the first step      p ← p − lr·m
// Nesterov: p ← p − lr·(g + µ·m). Sutskever et al., "On the importance of initialization and momentum", 2013.

#include <tessera/nn/optim/optimizer.h>

namespace tessera::optim {

struct SGDOptions {
  double momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false;
};

class SGD : public Optimizer {
 public:
  // ValueError without parameters, and for Nesterov's method without momentum or with dampening.
  explicit SGD(std::vector<State*> parameters, SGDOptions = {}, Loc at = Loc::here());

 private:
  void update(size_t i, const Tensor& grad, const Tensor& lr, const Tensor& t) override;
  SGDOptions options_;
  std::vector<State*> momentum_;
};

}  // namespace tessera::optim
