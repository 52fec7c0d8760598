// What the host does for a training step on a GPU: the time of a call, beside that of the device. AdamW over as many
// parameters as a GPT-2 of 124 million has, each of them small, so that the host never waits for the device. Beside it a
// step whose updates are as many launches as there are parameters, since each is another formula.
//
//   cuda_step_bench                  on the card
//   cuda_step_bench … --calls        with what each function of the driver takes; the clock costs 50 ns a call
//   cuda_step_bench --without-card   with the driver of tests, whose kernels do nothing: what our own code takes
//   cuda_step_bench … --cold         64 MB are written between calls, so that no cache holds what a call reads, as when
//                                    a step of the device leaves the host's caches to others

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string_view>
#include <vector>

#include <tessera/codegen/cuda/runtime/device.h>
#include <tessera/core/compile.h>
#include <tessera/core/device.h>
#include <tessera/core/error.h>
#include <tessera/core/executor.h>
#include <tessera/nn/optim/adam.h>

#include "tests/bench/driver_calls.h"
#include "tests/codegen/cuda_host/host_driver.h"

namespace tessera::bench {
namespace {

constexpr int parameters = 148, warm_up = 10, steps = 2000;

double microseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
}

enum class Updates { alike, each_its_own };
enum class Caches { warm, cold };

// More than the caches of a processor hold.
void write_memory() {
  static std::vector<char> memory(64 << 20);
  for (size_t k = 0; k < memory.size(); k += 64) ++memory[k];
}

void measure(Updates updates, Caches caches) {
  constexpr int64_t sizes[] = {768, 2304, 768, 3072};
  std::vector<std::unique_ptr<State>> weights;
  std::vector<State*> all;
  for (int k = 0; k < parameters; ++k) {
    weights.push_back(
        std::make_unique<State>("layers." + std::to_string(k) + ".norm.bias", full({sizes[k % 4]}, 0.01 * k)));
    all.push_back(weights.back().get());
  }
  optim::AdamW opt(all, {.weight_decay = 0.1});
  auto step = compile([&](Tensor x, Tensor y, Tensor lr) {
    std::vector<Tensor> gradients;  // enough for an update: what counts is how many States and launches there are
    for (State* weight : all) {
      const double factor = updates == Updates::alike ? 1 : static_cast<double>(gradients.size() + 1);
      gradients.push_back(weight->value() * mean(x) * factor);
    }
    opt.step(gradients, lr);
    return mean(square(x - y));
  });
  const std::vector<float> data(256, 0.5f);
  std::vector<double> calls;
  Tensor loss;
  auto begin = std::chrono::steady_clock::now();
  for (int k = 0; k < warm_up + steps; ++k) {
    Tensor x = tensor(data, {256}), y = tensor(data, {256});
    if (k == warm_up) {
      forget_driver_calls();
      begin = std::chrono::steady_clock::now();
    }
    if (caches == Caches::cold) write_memory();
    const auto start = std::chrono::steady_clock::now();
    Tensor next = step(x, y, 1e-3f / static_cast<float>(k + 1));
    if (k == 0) std::printf("first call %.0f ms\n", microseconds_since(start) / 1e3);
    if (k >= warm_up) calls.push_back(microseconds_since(start));
    if (k % 10 == 9) loss.item<float>();  // of the step before, as a trainer reads it
    loss = next;
  }
  loss.item<float>();
  const double mean_step = microseconds_since(begin) / steps;
  std::sort(calls.begin(), calls.end());
  const auto launches = std::ranges::count(step.text("kernels"), '\n') - 2;  // two lines are a head
  std::printf(
      "%d parameters, %zu States, %zd launches: host %.1f us a step (median; %.1f at the 90th percentile), step %.1f "
      "us\n",
      parameters, all.size() * 3 + 1, launches, calls[calls.size() / 2], calls[calls.size() * 9 / 10], mean_step);
  print_driver_calls(steps);
}

}  // namespace
}  // namespace tessera::bench

int main(int argc, char** argv) {
  using namespace tessera::bench;
  try {
    Caches caches = Caches::warm;
    bool times_calls = false, without_card = false;
    for (int k = 1; k < argc; ++k) {
      const std::string_view word = argv[k];
      if (word == "--cold") {
        caches = Caches::cold;
      } else if (word == "--calls") {
        times_calls = true;
      } else if (word == "--without-card") {
        without_card = true;
      } else {
        std::fprintf(stderr, "'%s' is no option of this program\n", argv[k]);
        return 2;
      }
    }
    if (without_card) {
      tessera::testing::use_host_driver();
      tessera::testing::host_driver().runs_kernels = false;
      tessera::testing::host_driver().is_late = false;
    }
    if (times_calls)
      time_driver_calls(without_card ? tessera::testing::host_driver_table() : tessera::cuda::open_driver());
    tessera::set_device("cuda");
    measure(Updates::alike, caches);
    measure(Updates::each_its_own, caches);
  } catch (const tessera::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
