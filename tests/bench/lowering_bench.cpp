// From a recorded training step to kernels, by the number of its layers: the share of a cold compile that grows with them,
// because layers share their kernels' texts. A narrow GPT, as widths change nothing here. Beside the times stands the order
// of growth that fits them best.
//
//   lowering_bench                     6 to 96 layers; NVRTC need not be there

#include <benchmark/benchmark.h>

#include <tessera/autograd/grad.h>
#include <tessera/codegen/cuda/executor/lower_program.h>
#include <tessera/core/operand_copies.h>
#include <tessera/core/trace.h>
#include <tessera/nn/losses.h>
#include <tessera/nn/models/gpt.h>
#include <tessera/nn/optim/adam.h>
#include <tessera/nn/training.h>

namespace tessera {
namespace {

struct Step {
  explicit Step(int64_t layers)
      : model({.vocabulary = 256, .context = 128, .dim = 64, .layers = layers, .heads = 2}), opt(model.parameters()) {
    Trace trace;
    const Shape shape{2, 128};
    const Tensor ids = trace.argument(i32, shape, "ids"), next = trace.argument(i32, shape, "next");
    nn::Training on;
    Tensor loss = nn::cross_entropy(model(ids), next);
    opt.step(grad(loss, model.parameters()), 1e-4);
    recorded = trace.finish({loss}, "gpt");
    recorded.program.precision = "bf16_mixed";
    OperandCopies(recorded, 2);
  }

  nn::Gpt model;
  optim::AdamW opt;
  Trace::Recorded recorded;
};

void lower(benchmark::State& state) {
  const Step step(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(cuda::lower_program(step.recorded.program, {"sm_90a"}));
  state.SetComplexityN(state.range(0));
}

BENCHMARK(lower)
    ->ArgName("layers")
    ->RangeMultiplier(2)
    ->Range(6, 96)
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond)
    ->Complexity();

}  // namespace
}  // namespace tessera
