// A Vision Transformer on Fashion-MNIST: accuracy on the 10,000 test pictures at the end.

#include <fmt/format.h>

#include <tessera/nn/models/vit.h>
#include <tessera/tessera.h>

#include "examples/command_line.h"
#include "examples/run.h"

using namespace tessera;

namespace {

struct Flags {
  examples::RunFlags run{.steps = 3600, .out = "runs/vit"};
  std::string data = data::fashion_mnist_folder;
  int64_t batch = 128;
  double lr = 1e-3;
};

double accuracy(nn::Vit& model, const data::ImageSet& set, int64_t batch) {
  auto count_right =
      compile([&](Tensor images, Tensor labels) { return sum(cast(argmax(model(images), 1) == labels, i32)); },
              {.name = "evaluate"});
  data::Loader loader(set, {.batch = batch, .shuffle = false});
  int64_t right = 0;
  for (auto& [images, labels] : loader) right += count_right(images, labels).item<int64_t>();
  return static_cast<double>(right) / static_cast<double>(set.size());
}

void train(const Flags& flags) {
  nn::Vit model;
  optim::AdamW opt(model.parameters(), {.weight_decay = 0.05});
  data::ImageSet training = data::fashion_mnist(data::Split::train, flags.data);
  data::ImageSet test = data::fashion_mnist(data::Split::test, flags.data);
  data::Loader loader(training, {.batch = flags.batch, .seed = flags.run.seed, .drop_last = true});
  examples::Run run(flags.run, flags.batch, {.model = &model, .optimizer = &opt}, "images");

  auto step = compile(
      [&](Tensor images, Tensor labels, Tensor lr) {
        nn::Training on;
        // Clothes look the same from either side: every picture is mirrored half of the time.
        Tensor mirrored = uniform({images.size(0), 1, 1, 1}) < 0.5;
        images = where(mirrored, reverse(images, {3}), images);
        Tensor loss = nn::cross_entropy(model(images), labels, {.label_smoothing = 0.1});
        opt.step(optim::clip_grad_norm(grad(loss, model.parameters()), 1.0).grads, lr);
        return loss;
      },
      {.name = "train_vit", .precision = Precision(flags.run.precision)});
  auto schedule = optim::cosine(
      {.peak = flags.lr, .warmup = std::min<int64_t>(200, flags.run.steps / 10), .total = flags.run.steps + 1});
  fmt::print("{} parameters, {} pictures, batch {}\n", model.parameter_count(), training.size(), flags.batch);
  run.train(loader, schedule, static_cast<double>(flags.batch), step,
            [&](const data::ImageBatch& batch, double lr) { return step(batch.images, batch.labels, lr); });
  fmt::print("test accuracy: {:.2f} %\n", 100 * accuracy(model, test, flags.batch));
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  examples::CommandLine line("Trains a Vision Transformer on Fashion-MNIST.", flags.run);
  line.add("--data", flags.data, "folder with the IDX files (Debian dataset-fashion-mnist)");
  line.add("--batch", flags.batch, "pictures per step", {examples::positive});
  line.add("--lr", flags.lr, "peak learning rate", {examples::positive});
  return line.run(argc, argv, [&] { train(flags); });
}
