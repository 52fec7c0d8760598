#pragma once
// Adam (Kingma and Ba, 2014) and AdamW (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2017):
//   m ← β₁m + (1 − β₁)g      v ← β₂v + (1 − β₂)g²
//   p ← p − lr·(m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)
// Adam adds λ·p to g first; AdamW takes p ← p − lr·λ·p instead.

#include <tessera/nn/optim/optimizer.h>

namespace tessera::optim {

struct AdamOptions {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
};
class Adam : public Optimizer {
 public:
  // ValueError without parameters.
  explicit Adam(std::vector<State*> parameters, AdamOptions = {}, Loc at = Loc::here());

 protected:
  Adam(std::vector<State*> parameters, AdamOptions, bool decoupled, Loc at);

 private:
  void update(size_t i, const Tensor& grad, const Tensor& lr, const Tensor& t) override;
  AdamOptions options_;
  bool decoupled_;
  std::vector<State*> mean_, square_;
};

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0.01;
};
class AdamW : public Adam {
 public:
  // ValueError without parameters.
  explicit AdamW(std::vector<State*> parameters, AdamWOptions = {}, Loc at = Loc::here());
};

}  // namespace tessera::optim
