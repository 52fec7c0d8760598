// One training step of the three example models: forward, backward and AdamW in one compiled program, on random data
// of the shapes that the examples train on. The first call is printed too: it compiles.

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdio>

#include <tessera/autograd/grad.h>
#include <tessera/core/compile.h>
#include <tessera/core/random.h>
#include <tessera/nn/losses.h>
#include <tessera/nn/models/gpt.h>
#include <tessera/nn/models/unet.h>
#include <tessera/nn/models/vit.h>
#include <tessera/nn/optim/adam.h>
#include <tessera/nn/training.h>

namespace tessera {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Times `step()` after two calls, the first of which compiles and the second records again (compile.h).
template <class Step> void measure(benchmark::State& state, const char* name, Step step) {
  auto start = Clock::now();
  step();
  std::printf("%s: first step %.2f s\n", name, seconds_since(start));
  step();
  for (auto _ : state) step();
}

void gpt(benchmark::State& state) {
  nn::Gpt model;
  optim::AdamW opt(model.parameters());
  Tensor ids = randint({16, 256}, 0, 256).eval(), next = randint({16, 256}, 0, 256).eval();
  auto step = compile([&](Tensor x, Tensor y, Tensor lr) {
    nn::Training on;
    Tensor loss = nn::cross_entropy(model(x), y);
    opt.step(grad(loss, model.parameters()), lr);
    return loss;
  });
  measure(state, "gpt", [&] { step(ids, next, 1e-3f).item<float>(); });
}

void vit(benchmark::State& state) {
  nn::Vit model;
  optim::AdamW opt(model.parameters());
  Tensor images = normal({128, 1, 28, 28}).eval(), labels = randint({128}, 0, 10).eval();
  auto step = compile([&](Tensor x, Tensor y, Tensor lr) {
    nn::Training on;
    Tensor loss = nn::cross_entropy(model(x), y);
    opt.step(grad(loss, model.parameters()), lr);
    return loss;
  });
  measure(state, "vit", [&] { step(images, labels, 1e-3f).item<float>(); });
}

void unet(benchmark::State& state) {
  nn::Unet model;
  optim::AdamW opt(model.parameters());
  Tensor images = normal({64, 1, 28, 28}).eval(), times = uniform({64}).eval(), noise = normal({64, 1, 28, 28}).eval();
  auto step = compile([&](Tensor x0, Tensor t, Tensor eps, Tensor lr) {
    nn::Training on;
    Tensor signal = reshape(cos(t * 1.5707963267948966), {64, 1, 1, 1});
    Tensor x = signal * x0 + sqrt(1.0 - square(signal)) * eps;
    Tensor loss = nn::mse(model(x, t), eps);
    opt.step(grad(loss, model.parameters()), lr);
    return loss;
  });
  measure(state, "unet", [&] { step(images, times, noise, 1e-3f).item<float>(); });
}

BENCHMARK(gpt)->UseRealTime()->Unit(benchmark::kMillisecond)->MinTime(3);
BENCHMARK(vit)->UseRealTime()->Unit(benchmark::kMillisecond)->MinTime(3);
BENCHMARK(unet)->UseRealTime()->Unit(benchmark::kMillisecond)->MinTime(3);

}  // namespace
}  // namespace tessera
