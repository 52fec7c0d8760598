// The steps of example_steps.h. Printed besides: the process's first one-off expression; of the first call, which compiles
// or finds its program on the disk (cold or warm: by what TESSERA_CACHE_DIR holds), what it takes beside a step; memory; and
// what the machine does at best in the same run. TESSERA_LOG=time shows the time of each kernel.

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdio>
#include <string>

#include <tessera/core/ops.h>
#include <tessera/core/program.h>

#include "tests/bench/copy_rate.h"
#include "tests/bench/example_steps.h"
#include "tests/bench/fma_peak.h"
#include "tests/bench/peak_memory.h"
#include "tests/bench/threads.h"

namespace tessera {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Before anything else runs in the process.
void print_one_off() {
  const auto start = Clock::now();
  exp(full({1000}, 0.5) * 2.0).eval();
  std::printf("first one-off expression %.1f ms\n", seconds_since(start) * 1e3);
}

void print_machine() {
  static const bool printed = [] {
    print_one_off();
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

// Times a step after two that do not count: the first compiles and the second records again (compile.h).
void measure(benchmark::State& state, const char* name, const bench::TrainStep& step) {
  print_machine();
  bench::reset_peak_rss();
  auto start = Clock::now();
  step.run();
  const double first = seconds_since(start);
  step.run();
  start = Clock::now();
  for (auto _ : state) step.run();
  const double later = seconds_since(start) / static_cast<double>(state.iterations());
  std::printf("%s: first step %.2f s, of them %.2f s more than a later one takes\n", name, first, first - later);
  const std::string explained = step.text("explain");
  std::printf("%s: %s; states %.1f MB, peak RSS %.0f MB\n", name, explained.substr(0, explained.find('\n')).c_str(),
              state_megabytes(*step.program()), bench::peak_rss_megabytes());
}

void gpt(benchmark::State& state) { measure(state, "gpt", bench::gpt_step()); }
void vit(benchmark::State& state) { measure(state, "vit", bench::vit_step()); }
void unet(benchmark::State& state) { measure(state, "unet", bench::unet_step()); }

BENCHMARK(gpt)->UseRealTime()->Unit(benchmark::kMillisecond)->MinTime(3);
BENCHMARK(vit)->UseRealTime()->Unit(benchmark::kMillisecond)->MinTime(3);
BENCHMARK(unet)->UseRealTime()->Unit(benchmark::kMillisecond)->MinTime(3);

}  // namespace
}  // namespace tessera
