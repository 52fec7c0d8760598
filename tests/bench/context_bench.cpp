// A training step of the GPT of train_bench at longer contexts: processor time of all threads, and the most memory that
// the process held. `strict` keeps planes in memory. Memory of one benchmark stays in the figure of the next: run one at
// a time, as --benchmark_filter=planes/16384/1.

#include <benchmark/benchmark.h>

#include <tessera/autograd/grad.h>
#include <tessera/core/compile.h>
#include <tessera/core/random.h>
#include <tessera/nn/losses.h>
#include <tessera/nn/models/gpt.h>
#include <tessera/nn/optim/adam.h>
#include <tessera/nn/training.h>

#include "tests/bench/peak_memory.h"

namespace tessera {
namespace {

void step_at(benchmark::State& state, bool strict) {
  const int64_t context = state.range(0), batch = state.range(1);
  nn::Gpt model({.context = context});
  optim::AdamW opt(model.parameters());
  Tensor ids = randint({batch, context}, 0, 256).eval(), next = randint({batch, context}, 0, 256).eval();
  auto step = compile(
      [&](Tensor x, Tensor y, Tensor lr) {
        nn::Training on;
        Tensor loss = nn::cross_entropy(model(x), y);
        opt.step(grad(loss, model.parameters()), lr);
        return loss;
      },
      {.strict = strict});
  bench::reset_peak_rss();
  auto call = [&] { step(ids, next, 1e-3f).item<float>(); };
  call();  // compiles
  for (auto _ : state) call();
  state.counters["peak_MB"] = bench::peak_rss_megabytes();
}

void planes(benchmark::State& state) { step_at(state, false); }
void strict(benchmark::State& state) { step_at(state, true); }

BENCHMARK(planes)->Args({1024, 4})->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond)->Iterations(3);
BENCHMARK(strict)->Args({1024, 4})->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond)->Iterations(3);
BENCHMARK(planes)->Args({4096, 1})->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond)->Iterations(1);
BENCHMARK(strict)->Args({4096, 1})->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond)->Iterations(1);
BENCHMARK(planes)->Args({16384, 1})->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond)->Iterations(1);

}  // namespace
}  // namespace tessera

BENCHMARK_MAIN();
