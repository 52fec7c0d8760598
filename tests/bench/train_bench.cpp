// The steps of example_steps.h. Printed besides: the first call, which compiles; memory; and what the machine does at best in
// the same run. TESSERA_LOG=time shows the time of each kernel.

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdio>
#include <string>

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

// Times a step after two that do not count: the first compiles and the second records again (compile.h).
void measure(benchmark::State& state, const char* name, const bench::TrainStep& step) {
  print_machine();
  bench::reset_peak_rss();
  auto start = Clock::now();
  step.run();
  std::printf("%s: first step %.2f s\n", name, seconds_since(start));
  step.run();
  for (auto _ : state) step.run();
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
