// One training step of the three example models: forward, backward and AdamW in one compiled program, on random data
// of the shapes that the examples train on. Printed besides: the first call, which compiles; memory; and what the machine
// does at best in the same run. TESSERA_LOG=time shows the time of each kernel.

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdio>
#include <string>

#include <tessera/autograd/grad.h>
#include <tessera/core/compile.h>
#include <tessera/core/program.h>
#include <tessera/core/random.h>
#include <tessera/nn/losses.h>
#include <tessera/nn/models/gpt.h>
#include <tessera/nn/models/unet.h>
#include <tessera/nn/models/vit.h>
#include <tessera/nn/optim/adam.h>
#include <tessera/nn/training.h>

#include "tests/bench/copy_rate.h"
#include "tests/bench/fma_peak.h"
#include "tests/bench/peak_memory.h"
#include "tests/bench/threads.h"

namespace tessera {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

void print_machine() {
  static const bool printed = [] {
    const int threads = bench::thread_count();
    std::printf("machine, %d threads: %.0f GFLOP/s of f32 multiply-adds, %.1f GB/s of copying\n", threads,
                bench::fma_peak_gflops(threads), bench::copy_gigabytes_per_second(threads));
    return true;
  }();
  (void)printed;
}

// Values that a step replaces: parameters and what the optimizer keeps.
double state_megabytes(const Program& program) {
  double bytes = 0;
  for (size_t k = 0; k < program.outputs.size(); ++k) {
    if (program.donor[k] < 0) continue;
    const Instruction& output = program.instructions[static_cast<size_t>(program.outputs[k])];
    bytes += static_cast<double>(output.shape.numel()) * static_cast<double>(size_of(output.dtype));
  }
  return bytes * 1e-6;
}

// Times `call()` of `step` after two calls, the first of which compiles and the second records again (compile.h).
template <class Step, class Call> void measure(benchmark::State& state, const char* name, Step& step, Call call) {
  print_machine();
  bench::reset_peak_rss();
  auto start = Clock::now();
  call();
  std::printf("%s: first step %.2f s\n", name, seconds_since(start));
  call();
  for (auto _ : state) call();
  const std::string explained = step.text("explain");
  std::printf("%s: %s; states %.1f MB, peak RSS %.0f MB\n", name, explained.substr(0, explained.find('\n')).c_str(),
              state_megabytes(*step.program()), bench::peak_rss_megabytes());
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
  measure(state, "gpt", step, [&] { step(ids, next, 1e-3f).item<float>(); });
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
  measure(state, "vit", step, [&] { step(images, labels, 1e-3f).item<float>(); });
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
  measure(state, "unet", step, [&] { step(images, times, noise, 1e-3f).item<float>(); });
}

BENCHMARK(gpt)->UseRealTime()->Unit(benchmark::kMillisecond)->MinTime(3);
BENCHMARK(vit)->UseRealTime()->Unit(benchmark::kMillisecond)->MinTime(3);
BENCHMARK(unet)->UseRealTime()->Unit(benchmark::kMillisecond)->MinTime(3);

}  // namespace
}  // namespace tessera
