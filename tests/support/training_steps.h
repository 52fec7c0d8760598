#pragma once
// The training steps that PyTorch is timed with (tests/bench/train_peer.py): GPT-2 124M, ViT-B/16, DiT-B/2, ResNet-50, with
// AdamW at 10⁻⁴ over all parameters and nothing clipped.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <tessera/nn/module.h>
#include <tessera/nn/optim/adam.h>

namespace tessera::testing {

struct StepSize {
  int64_t batch = 0;   // 0: that of PyTorch's step
  int64_t layers = 0;  // blocks of a transformer; 0: the model's
};

struct TrainingStep {
  struct Argument {
    std::string name;
    DType dtype;
    Shape shape;
    int64_t classes = 0;  // integers are below this
  };

  std::string unit;   // what a batch counts: "tokens"
  int64_t count = 0;  // of those
  std::vector<Argument> arguments;
  std::shared_ptr<nn::ModuleBase> model;
  std::function<Tensor(const std::vector<Tensor>&)> loss;
  std::shared_ptr<optim::AdamW> opt;

  Tensor operator()(const std::vector<Tensor>& batch) const;  // the loss; assigns the parameters
  std::vector<Tensor> random_batch() const;
};

// ValueError unless the name is "gpt2", "vit", "dit" or "resnet".
TrainingStep training_step(const std::string& name, StepSize size = {});

}  // namespace tessera::testing
