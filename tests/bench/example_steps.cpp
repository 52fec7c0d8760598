#include "tests/bench/example_steps.h"

#include <memory>
#include <utility>
#include <vector>

#include <tessera/autograd/grad.h>
#include <tessera/core/compile.h>
#include <tessera/core/random.h>
#include <tessera/nn/losses.h>
#include <tessera/nn/models/gpt.h>
#include <tessera/nn/models/unet.h>
#include <tessera/nn/models/vit.h>
#include <tessera/nn/optim/adam.h>
#include <tessera/nn/training.h>

namespace tessera::bench {
namespace {

using Tensors = std::vector<Tensor>;

// `loss(model, inputs)` is what a step minimizes.
template <class Model, class Loss>
TrainStep step_of(std::shared_ptr<Model> model, Loss loss, Tensors inputs, CompileOptions options) {
  for (Tensor& t : inputs) t.eval();
  auto opt = std::make_shared<optim::AdamW>(model->parameters());
  auto recorded = [model, opt, loss](Tensors in, Tensor lr) {
    nn::Training on;
    Tensor value = loss(*model, in);
    opt->step(grad(value, model->parameters()), lr);
    return value;
  };
  using Step = decltype(compile(recorded, options));
  auto step = std::make_shared<Step>(compile(recorded, options));
  return {[step, inputs] { (*step)(inputs, 1e-3f).template item<float>(); },
          [step](const char* stage) { return step->text(stage); }, [step] { return step->program(); }};
}

}  // namespace

TrainStep gpt_step(int64_t batch, int64_t context, bool strict) {
  auto loss = [](nn::Gpt& model, const Tensors& in) { return nn::cross_entropy(model(in[0]), in[1]); };
  return step_of(std::make_shared<nn::Gpt>(nn::GptOptions{.context = context}), loss,
                 {randint({batch, context}, 0, 256), randint({batch, context}, 0, 256)},
                 {.name = "gpt", .strict = strict});
}

TrainStep vit_step() {
  auto loss = [](nn::Vit& model, const Tensors& in) { return nn::cross_entropy(model(in[0]), in[1]); };
  return step_of(std::make_shared<nn::Vit>(), loss, {normal({128, 1, 28, 28}), randint({128}, 0, 10)}, {.name = "vit"});
}

TrainStep unet_step() {
  auto loss = [](nn::Unet& model, const Tensors& in) {
    const Tensor &images = in[0], &times = in[1], &noise = in[2];
    Tensor signal = reshape(cos(times * 1.5707963267948966), {64, 1, 1, 1});
    return nn::mse(model(signal * images + sqrt(1.0 - square(signal)) * noise, times), noise);
  };
  return step_of(std::make_shared<nn::Unet>(), loss, {normal({64, 1, 28, 28}), uniform({64}), normal({64, 1, 28, 28})},
                 {.name = "unet"});
}

}  // namespace tessera::bench
