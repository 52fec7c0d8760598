// A training step of the GPT of train_bench at longer contexts: processor time of all threads, and the most memory that
// the process held. `strict` keeps planes in memory. Memory of one benchmark stays in the figure of the next: run one at
// a time, as --benchmark_filter=planes/16384/1.

#include <benchmark/benchmark.h>

#include "tests/bench/example_steps.h"
#include "tests/bench/peak_memory.h"

namespace tessera {
namespace {

void step_at(benchmark::State& state, bool strict) {
  const bench::TrainStep step = bench::gpt_step(state.range(1), state.range(0), strict);
  bench::reset_peak_rss();
  step.run();  // compiles
  for (auto _ : state) step.run();
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
