// A training step of GPT-2 (124 million parameters) on a GPU: compile times, then time, tokens and memory of a step.
//
//   cuda_gpt_bench [PRECISION]                  compiled anew, from the disk, and run; f32 or bf16_mixed
//   cuda_gpt_bench [PRECISION] --compile-only   for sm_90a, without a card; NVRTC must be there
//
// Set TESSERA_CACHE_DIR to an empty folder, or "cold" is what an earlier run left.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <tessera/autograd/grad.h>
#include <tessera/codegen/cuda/executor/compile_program.h>
#include <tessera/codegen/cuda/runtime/device.h>
#include <tessera/core/compile.h>
#include <tessera/core/device.h>
#include <tessera/core/error.h>
#include <tessera/core/operand_copies.h>
#include <tessera/core/trace.h>
#include <tessera/nn/losses.h>
#include <tessera/nn/models/gpt.h>
#include <tessera/nn/optim/adam.h>
#include <tessera/nn/training.h>

namespace tessera::bench {
namespace {

constexpr int64_t batch = 4, context = 1024;
constexpr int warm_up = 3, steps = 20;
constexpr nn::GptOptions gpt2 = {.vocabulary = 50304, .context = context, .dim = 768, .layers = 12, .heads = 12};

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

struct Training {
  nn::Gpt model{gpt2};
  optim::AdamW opt{model.parameters(), {.weight_decay = 0.1}};

  Tensor step(Tensor ids, Tensor next, Tensor lr) {
    nn::Training on;
    Tensor loss = nn::cross_entropy(model(ids), next);
    opt.step(grad(loss, model.parameters()), lr);
    return loss;
  }
};

void measure_compile(Training& training, const std::string& architecture, Precision precision) {
  const auto start = std::chrono::steady_clock::now();
  Trace trace;
  Tensor ids = trace.argument(i32, {batch, context}, "ids"), next = trace.argument(i32, {batch, context}, "next"),
         lr = trace.argument(f32, {}, "lr");
  Trace::Recorded recorded = trace.finish({training.step(ids, next, lr)}, "gpt2", false);
  recorded.program.precision = precision;
  if (precision.is_mixed()) OperandCopies(recorded, /*arguments=*/3);
  const double record = milliseconds_since(start);
  const char* names[] = {"first", "again"};
  for (const char* name : names) {
    const auto begin = std::chrono::steady_clock::now();
    const cuda::CompiledProgram made = cuda::compile_program(recorded.program, {architecture});
    const double took = milliseconds_since(begin);
    double nvrtc = 0;
    for (const cuda::Cubin& cubin : made.cubins) nvrtc += cubin.milliseconds;
    std::printf("%s: %.0f ms, %s; %zu kernels, %zu launches, NVRTC %.0f ms in all on %u threads; arena %.2f GB\n", name,
                took, made.is_from_disk ? "from the disk" : "compiled", made.lowered.kernels.size(),
                made.lowered.plan.launches.size(), nvrtc, std::thread::hardware_concurrency(),
                static_cast<double>(made.lowered.plan.arena_bytes) / 1e9);
  }
  std::printf("recorded in %.0f ms, %zu instructions\n", record, recorded.program.instructions.size());
}

void measure_steps(Training& training, Precision precision) {
  auto step = compile([&](Tensor ids, Tensor next, Tensor lr) { return training.step(ids, next, lr); },
                      {.name = "gpt2", .precision = precision});
  std::vector<int32_t> text(static_cast<size_t>(batch * context));
  for (size_t k = 0; k < text.size(); ++k) text[k] = static_cast<int32_t>(k * 7919 % 50257);
  std::vector<double> calls;
  Tensor loss;
  auto begin = std::chrono::steady_clock::now();
  for (int k = 0; k < warm_up + steps; ++k) {
    Tensor ids = tensor(text, {batch, context});
    std::rotate(text.begin(), text.begin() + 1, text.end());
    Tensor next = tensor(text, {batch, context});
    const auto start = std::chrono::steady_clock::now();
    loss = step(ids, next, 3e-4f);
    if (k == 0) std::printf("first call %.0f ms\n", milliseconds_since(start));
    if (k >= warm_up) calls.push_back(milliseconds_since(start) * 1e3);
    if (k == warm_up - 1) {
      std::printf("loss %.4f\n", static_cast<double>(loss.item<float>()));
      begin = std::chrono::steady_clock::now();
    }
  }
  const double last = loss.item<double>(), each = milliseconds_since(begin) / steps;
  size_t left = 0, all = 0;
  cuda::check(cuda::driver().memory_left(&left, &all), "memory");
  std::sort(calls.begin(), calls.end());
  std::printf("step %.2f ms, %.0f tokens/s, loss %.4f after %d steps, %.2f GB in use\n", each,
              static_cast<double>(batch * context) / each * 1e3, last, warm_up + steps,
              static_cast<double>(all - left) / 1e9);
  // The first two of those calls have no run before the one before to wait for.
  std::printf("host: a call that waits for nothing %.0f us\n", calls.front());
}

}  // namespace
}  // namespace tessera::bench

int main(int argc, char** argv) {
  using namespace tessera;
  try {
    Precision precision;
    bool compile_only = false;
    for (int k = 1; k < argc; ++k)
      if (std::strcmp(argv[k], "--compile-only") == 0) compile_only = true;
      else precision = Precision(argv[k]);
    std::printf("GPT-2, %s\n", precision.str().c_str());
    bench::Training training;
    bench::measure_compile(training, compile_only ? "sm_90a" : cuda::use_device().architecture, precision);
    if (compile_only) return 0;
    set_device("cuda");
    bench::measure_steps(training, precision);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
