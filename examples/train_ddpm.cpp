// A denoiser on Fashion-MNIST: a U-Net learns to predict the noise in x = cos(πt/2)·x₀ + sin(πt/2)·ε, and pictures are
// drawn by walking t from 1 to 0. With a ViT trained by train_vit, the samples are judged in its features.

#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include <tessera/nn/models/unet.h>
#include <tessera/nn/models/vit.h>
#include <tessera/tessera.h>

#include "examples/command_line.h"
#include "examples/frechet.h"
#include "examples/run.h"

using namespace tessera;

namespace {

struct Flags {
  examples::RunFlags run{.steps = 4000, .out = "runs/ddpm"};
  std::string data = data::fashion_mnist_folder, vit = "runs/vit";
  int64_t batch = 64, samples = 512, walk = 50;
  double lr = 1e-3;
};

constexpr int64_t side = 28, sample_batch = 64, sheet = 64;

// Signal and noise shares at time t, as [N, 1, 1, 1].
std::pair<Tensor, Tensor> shares(const Tensor& t) {
  Tensor angle = reshape(t, {t.size(0), 1, 1, 1}) * (std::numbers::pi / 2);
  return {cos(angle), sin(angle)};
}

Tensor to_signed(const Tensor& images) { return images * 2.0 - 1.0; }  // [0, 1] → [−1, 1]
Tensor to_unit(const Tensor& x) { return clamp(x * 0.5 + 0.5, 0.0, 1.0); }

// DDIM (Song et al., "Denoising Diffusion Implicit Models", 2020): the walk is deterministic given its first noise.
std::vector<float> draw_samples(nn::Unet& model, int64_t count, int64_t walk) {
  auto hop = compile(
      [&](Tensor x, Tensor from, Tensor to) {
        Tensor t = broadcast_to(from, {sample_batch});
        auto [signal, noise] = shares(t);
        auto [next_signal, next_noise] = shares(broadcast_to(to, {sample_batch}));
        Tensor eps = model(x, t);
        Tensor clean = clamp((x - noise * eps) / signal, -1.0, 1.0);
        return next_signal * clean + next_noise * ((x - signal * clean) / noise);
      },
      {.name = "sample"});
  std::vector<float> pixels;
  for (int64_t done = 0; done < count; done += sample_batch) {
    Tensor x = normal({sample_batch, 1, side, side}).eval();
    // The end points are left out: at 1 there is no signal to divide by, at 0 no noise.
    auto time = [&](int64_t i) { return 0.995 * static_cast<double>(walk - i) / static_cast<double>(walk); };
    for (int64_t i = 0; i < walk; ++i) x = hop(x, time(i), i + 1 < walk ? time(i + 1) : 0.0);
    std::vector<float> images = to_unit(x).to_vector<float>();
    pixels.insert(pixels.end(), images.begin(), images.end());
  }
  pixels.resize(static_cast<size_t>(count * side * side));
  return pixels;
}

// What the judge says of a set of pictures: features for the distance, classes for the diversity.
struct Judgement {
  std::vector<double> features;
  std::vector<int64_t> classes;
};
Judgement judge(nn::Vit& vit, const std::vector<float>& pixels) {
  auto look = compile(
      [&](Tensor images) {
        Tensor features = vit.features(images);
        return std::vector<Tensor>{features, argmax(vit.head(features), 1)};
      },
      {.name = "judge"});
  Judgement out;
  const size_t step = static_cast<size_t>(sample_batch * side * side);
  for (size_t at = 0; at + step <= pixels.size(); at += step) {
    auto first = pixels.begin() + static_cast<std::ptrdiff_t>(at);
    Tensor images =
        tensor(std::vector<float>(first, first + static_cast<std::ptrdiff_t>(step)), {sample_batch, 1, side, side});
    std::vector<Tensor> seen = look(images);
    for (double f : seen[0].to_vector<double>()) out.features.push_back(f);
    for (int64_t c : seen[1].to_vector<int64_t>()) out.classes.push_back(c);
  }
  return out;
}

std::vector<float> real_pixels(const data::ImageSet& set, int64_t from, int64_t count) {
  std::vector<int64_t> indices(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) indices[static_cast<size_t>(i)] = from + i;
  return set.batch(indices).images.to_vector<float>();
}

void report(const Flags& flags, const std::vector<float>& samples) {
  nn::Vit vit;
  if (!std::filesystem::exists(flags.vit) || !io::load_checkpoint(flags.vit, {.model = &vit})) {
    fmt::print("no ViT in {}: run train_vit first to have the samples judged\n", flags.vit);
    return;
  }
  data::ImageSet test = data::fashion_mnist(data::Split::test, flags.data);
  nn::Unet untrained;  // the seed decides its weights: those that the trained one began with
  Judgement ours = judge(vit, samples), before = judge(vit, draw_samples(untrained, flags.samples, flags.walk));
  Judgement real = judge(vit, real_pixels(test, 0, flags.samples)),
            other = judge(vit, real_pixels(test, 5000, flags.samples));
  const int64_t dim = vit.options.dim;
  double distance = examples::frechet_distance(ours.features, real.features, dim);
  double first = examples::frechet_distance(before.features, real.features, dim);
  fmt::print(
      "Fréchet distance to real pictures: {:.2f}; untrained model {:.2f} (ratio {:.3f}); real against real {:.2f}\n",
      distance, first, distance / first, examples::frechet_distance(other.features, real.features, dim));
  std::vector<int64_t> count(static_cast<size_t>(vit.options.classes));
  for (int64_t c : ours.classes) ++count[static_cast<size_t>(c)];
  for (size_t c = 0; c < count.size(); ++c)
    fmt::print("  {:12} {:5.1f} %\n", data::fashion_mnist_classes()[c],
               100.0 * static_cast<double>(count[c]) / static_cast<double>(ours.classes.size()));
}

void train(const Flags& flags) {
  nn::Unet model;
  optim::AdamW opt(model.parameters(), {.weight_decay = 0.0});
  optim::Ema average(model.parameters(), 0.995);
  data::ImageSet training = data::fashion_mnist(data::Split::train, flags.data);
  data::Loader loader(training, {.batch = flags.batch, .seed = flags.run.seed, .drop_last = true});
  examples::Run run(flags.run, flags.batch, {.model = &model, .optimizer = &opt, .states = average.states()}, "images");

  auto step = compile(
      [&](Tensor images, Tensor lr) {
        nn::Training on;
        Tensor x0 = to_signed(images), t = uniform({images.size(0)}), eps = normal(x0.shape());
        auto [signal, noise] = shares(t);
        Tensor loss = nn::mse(model(signal * x0 + noise * eps, t), eps);
        opt.step(optim::clip_grad_norm(grad(loss, model.parameters()), 1.0).grads, lr);
        average.update();
        return loss;
      },
      {.name = "train_ddpm", .precision = Precision(flags.run.precision)});
  auto schedule = optim::cosine(
      {.peak = flags.lr, .warmup = std::min<int64_t>(100, flags.run.steps / 10), .total = flags.run.steps + 1});
  fmt::print("{} parameters, {} pictures, batch {}\n", model.parameter_count(), training.size(), flags.batch);
  run.train(loader, schedule, static_cast<double>(flags.batch), step,
            [&](const data::ImageBatch& batch, double lr) { return step(batch.images, lr); });

  if (flags.samples == 0) return;
  auto averaged = average.use();
  std::vector<float> samples = draw_samples(model, flags.samples, flags.walk);
  const int64_t shown = std::min(sheet, flags.samples);
  std::vector<float> first(samples.begin(), samples.begin() + shown * side * side);
  io::write_png(run.path("samples.png").string(), io::image_grid(tensor(first, {shown, 1, side, side}), {.scale = 3}));
  fmt::print("{} samples; the first of them in {}\n", flags.samples, run.path("samples.png").string());
  report(flags, samples);
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  examples::CommandLine line("Trains a denoiser on Fashion-MNIST and draws pictures with it.", flags.run);
  line.add("--data", flags.data, "folder with the IDX files (Debian dataset-fashion-mnist)");
  line.add("--vit", flags.vit, "run directory of train_vit: the judge of the samples");
  line.add("--batch", flags.batch, "pictures per step", {examples::positive});
  line.add("--lr", flags.lr, "peak learning rate", {examples::positive});
  line.add("--samples", flags.samples, "pictures to draw, a multiple of 64",
           {examples::not_negative, {"", [](const std::string& text) {
                                       return std::strtoll(text.c_str(), nullptr, 10) % sample_batch == 0
                                                  ? ""
                                                  : text + " is no multiple of 64";
                                     }}});
  line.add("--walk", flags.walk, "steps from noise to picture", {examples::positive});
  return line.run(argc, argv, [&] { train(flags); });
}
