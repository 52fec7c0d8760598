#include "tests/support/training_steps.h"

#include <tessera/autograd/grad.h>
#include <tessera/core/error.h>
#include <tessera/core/random.h>
#include <tessera/nn/losses.h>
#include <tessera/nn/models/dit.h>
#include <tessera/nn/models/gpt.h>
#include <tessera/nn/models/resnet.h>
#include <tessera/nn/models/vit.h>
#include <tessera/nn/training.h>

namespace tessera::testing {
namespace {

int64_t either(int64_t given, int64_t usual) { return given ? given : usual; }

TrainingStep gpt2(StepSize size) {
  constexpr int64_t context = 1024, vocabulary = 50304;
  const int64_t batch = either(size.batch, 32);
  auto model = std::make_shared<nn::Gpt>(nn::GptOptions{
      .vocabulary = vocabulary, .context = context, .dim = 768, .layers = either(size.layers, 12), .heads = 12});
  return {.unit = "tokens",
          .count = batch * context,
          .arguments = {{"ids", i32, {batch, context}, vocabulary}, {"next", i32, {batch, context}, vocabulary}},
          .model = model,
          .loss = [model](const std::vector<Tensor>& in) { return nn::cross_entropy((*model)(in[0]), in[1]); },
          .opt = {}};
}

TrainingStep vit(StepSize size) {
  const int64_t batch = either(size.batch, 256);
  auto model = std::make_shared<nn::Vit>(nn::VitOptions{.image = 224,
                                                        .channels = 3,
                                                        .patch = 16,
                                                        .dim = 768,
                                                        .layers = either(size.layers, 12),
                                                        .heads = 12,
                                                        .classes = 1000});
  return {.unit = "images",
          .count = batch,
          .arguments = {{"images", f32, {batch, 3, 224, 224}}, {"labels", i32, {batch}, 1000}},
          .model = model,
          .loss = [model](const std::vector<Tensor>& in) { return nn::cross_entropy((*model)(in[0]), in[1]); },
          .opt = {}};
}

// Of 32 × 32 latents with four channels; the network learns the velocity from the picture to the noise.
TrainingStep dit(StepSize size) {
  const int64_t batch = either(size.batch, 256);
  auto model = std::make_shared<nn::Dit>(nn::DitOptions{.dim = 768, .layers = either(size.layers, 12), .heads = 12});
  auto loss = [model](const std::vector<Tensor>& in) {
    const Tensor &x0 = in[0], &label = in[1], &t = in[2], &eps = in[3];
    Tensor at = reshape(t, {t.size(0), 1, 1, 1});
    return nn::mse((*model)((1 - at) * x0 + at * eps, t, label), eps - x0);
  };
  const Shape pictures{batch, 4, 32, 32};
  return {
      .unit = "images",
      .count = batch,
      .arguments = {{"x0", f32, pictures}, {"label", i32, {batch}, 1000}, {"t", f32, {batch}}, {"eps", f32, pictures}},
      .model = model,
      .loss = loss,
      .opt = {}};
}

TrainingStep resnet(StepSize size) {
  const int64_t batch = either(size.batch, 256);
  auto model = std::make_shared<nn::Resnet>();
  return {.unit = "images",
          .count = batch,
          .arguments = {{"images", f32, {batch, 3, 224, 224}}, {"labels", i32, {batch}, 1000}},
          .model = model,
          .loss = [model](const std::vector<Tensor>& in) { return nn::cross_entropy((*model)(in[0]), in[1]); },
          .opt = {}};
}

}  // namespace

Tensor TrainingStep::operator()(const std::vector<Tensor>& batch) const {
  nn::Training on;
  Tensor value = loss(batch);
  opt->step(grad(value, model->parameters()), 1e-4);
  return value;
}

std::vector<Tensor> TrainingStep::random_batch() const {
  std::vector<Tensor> batch;
  for (const Argument& a : arguments)
    batch.push_back((a.classes             ? randint(a.shape, 0, a.classes, a.dtype)
                     : a.shape.rank() == 1 ? uniform(a.shape)
                                           : normal(a.shape))
                        .eval());
  return batch;
}

TrainingStep training_step(const std::string& name, StepSize size) {
  TrainingStep made;
  if (name == "gpt2") made = gpt2(size);
  else if (name == "vit") made = vit(size);
  else if (name == "dit") made = dit(size);
  else if (name == "resnet") made = resnet(size);
  else
    throw ValueError({.code = "T-V190",
                      .fault = "no training step is called '" + name + "'",
                      .hint = "there are gpt2, vit, dit and resnet"});
  made.opt = std::make_shared<optim::AdamW>(made.model->parameters());
  return made;
}

}  // namespace tessera::testing
