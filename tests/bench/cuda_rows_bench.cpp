// Kernels that wait for memory, on a GPU: time, and the share of the rate at which the driver copies as many bytes in the same
// run. Counted are the bytes of arguments and results alone, each once; what a program moves beside counts against it.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include <fmt/format.h>

#include <tessera/codegen/cuda/executor/run_program.h>
#include <tessera/core/convert.h>
#include <tessera/core/error.h>
#include <tessera/nn/models/gpt.h>

#include "tests/codegen/cuda_rows/programs.h"
#include "tests/support/host_data.h"

namespace tessera::bench {
namespace {

constexpr int rounds = 20;

struct Kernel {
  const char* name;
  int64_t rows, columns;
  DType dtype;
  double goal;  // share of the copy rate
};

const Kernel kernels[] = {
    {"layer_norm", 16384, 4096, bf16, 0.90},
    {"layer_norm_backward", 16384, 4096, bf16, 0.90},
    {"rms_norm", 16384, 4096, bf16, 0.90},
    {"rms_norm_backward", 16384, 4096, bf16, 0.90},
    {"kept_norm_backward", 32768, 768, bf16, 0.90},
    {"softmax", 16384, 4096, bf16, 0.90},
    {"softmax_backward", 16384, 4096, bf16, 0.90},
    {"row_dots", 393216, 64, bf16, 0.90},
    {"gelu_add", 16384, 4096, bf16, 0.90},
    {"gelu_backward", 16384, 4096, bf16, 0.90},
    {"dropout", 16384, 4096, bf16, 0.90},
    {"column_sum", 16384, 4096, bf16, 0.90},
    {"column_sum", 802816, 64, bf16, 0.90},
    {"batch_norm_sums", 3211264, 64, bf16, 0.90},
    {"batch_norm_sums", 802816, 64, bf16, 0.90},
    {"batch_norm_sums", 802816, 256, bf16, 0.90},
    {"batch_norm_sums", 200704, 512, bf16, 0.90},
    {"total", 16384, 4096, bf16, 0.90},
    {"cross_entropy", 8192, 50304, bf16, 0.90},
    {"cross_entropy_backward", 8192, 50304, bf16, 0.90},
    {"cross_entropy_step", 8192, 50304, bf16, 0.90},
    {"adamw", 16384, 4096, f32, 0.92},
    {"adamw_gpt2", 0, 0, f32, 0.92},  // over its parameters, of 124 million elements
    {"embedding_backward", 16384, 768, f32, 0.5},
    {"argsort", 16384, 4096, bf16, 0.5},
    {"argmax", 16384, 4096, bf16, 0.5},
    {"cumsum", 16384, 4096, bf16, 0.5},
    {"cumsum_columns", 16384, 4096, bf16, 0.5},
    {"window", 16384, 4096, bf16, 0.5},
    {"fold", 16384, 4096, bf16, 0.5},
    {"update_rows", 16384, 4096, bf16, 0.5},
};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

// Random numbers in [1, 2), the same 64 Ki of them again and again; of labels the low ones more often.
Tensor repeated(const std::string& name, DType dtype, const Shape& shape) {
  constexpr int64_t period = 1 << 16;
  testing::Draw draw(5);
  if (is_integer(dtype)) {
    const auto count = static_cast<double>(name == "tokens" ? testing::vocabulary(shape.numel()) : 1000);
    std::vector<double> labels;
    for (int64_t k = 0; k < shape.numel(); ++k) {
      const double u = draw.uniform(0, 1);
      labels.push_back(std::floor(count * u * u * u));
    }
    return testing::from_doubles(labels, dtype, shape);
  }
  const auto bytes = static_cast<size_t>(shape.numel()) * size_of(dtype);
  auto buffer = std::make_shared<Buffer>(bytes);
  for (int64_t i = 0; i < std::min(period, shape.numel()); ++i)
    store_double(buffer->data(), dtype, i, draw.uniform(1, 2));
  const size_t first = static_cast<size_t>(period) * size_of(dtype);
  for (size_t at = first; at < bytes; at += first)
    std::memcpy(buffer->as<char>() + at, buffer->data(), std::min(first, bytes - at));
  return tensor_from(std::move(buffer), dtype, shape);
}

std::vector<int64_t> sizes_of_gpt2() {
  const nn::Gpt model({.vocabulary = 50304, .context = 1024, .dim = 768, .layers = 12, .heads = 12});
  std::vector<int64_t> sizes;
  for (const State* parameter : model.parameters()) sizes.push_back(parameter->shape().numel());
  return sizes;
}

void measure(const Kernel& kernel) {
  testing::RowProgram made;
  std::string size;
  if (kernel.rows > 0) {
    made = testing::row_program(kernel.name, kernel.rows, kernel.columns, kernel.dtype, repeated);
    size = fmt::format("{} x {}", kernel.rows, kernel.columns);
  } else {
    const std::vector<int64_t> sizes = sizes_of_gpt2();
    made = testing::adamw_program(sizes, repeated);
    size = fmt::format("{} tensors", sizes.size());
  }
  cuda::ProgramRunner runner(cuda::compile_program(made.program, {cuda::use_device().architecture}));
  const codegen::Plan& plan = runner.lowered().plan;
  double bytes = 0;
  for (int value : plan.arguments) bytes += static_cast<double>(plan.values[static_cast<size_t>(value)].bytes);
  for (int value : plan.results) bytes += static_cast<double>(plan.values[static_cast<size_t>(value)].bytes);
  runner.begin(made.program, made.arguments);

  // Both come behind a copy: the device is busy with it while the host launches, and what it leaves in L2 goes to memory while
  // they run. A launch and those writes are a fifth of what a kernel of 100 MB takes, and nothing of a copy of 1 GB.
  constexpr size_t busy = size_t{512} << 20;
  const size_t half = static_cast<size_t>(bytes / 2);
  cuda::StreamBuffer from(std::max(busy, half)), to(std::max(busy, half));
  auto copy = [&](size_t count) {
    cuda::check(cuda::driver().copy_within_stream(to.address(), from.address(), count, nullptr), "copy");
  };
  cuda::Stopwatch watch;
  auto time = [&](auto launch) {
    copy(busy);
    watch.start();
    launch();
    watch.stop();
    return watch.milliseconds();
  };
  std::vector<double> ours, copies;
  for (int round = -3; round < rounds; ++round) {
    const double peer = time([&] { copy(half); }), own = time([&] { runner.launch_all(); });
    if (round < 0) continue;  // code is loaded, pages are touched
    copies.push_back(peer), ours.push_back(own);
  }
  const double rate = bytes / median(ours) / 1e6, copy_rate = 2.0 * half / median(copies) / 1e6;
  const double share = rate / copy_rate;
  fmt::print(
      "{:<22} {:>14} {:<4} {:2} launches {:9.1f} us {:6.0f} GB/s  copy {:5.0f} GB/s  share {:.3f}  goal {:.2f}{}\n",
      kernel.name, size, name(kernel.dtype), plan.launches.size(), median(ours) * 1e3, rate, copy_rate, share,
      kernel.goal, share < kernel.goal ? "  below" : "");
}

}  // namespace
}  // namespace tessera::bench

int main(int argc, char** argv) {
  try {
    std::printf("%s\n", tessera::cuda::use_device().name.c_str());
    const std::vector<std::string> wanted(argv + 1, argv + argc);
    for (const tessera::bench::Kernel& kernel : tessera::bench::kernels)
      if (wanted.empty() || std::find(wanted.begin(), wanted.end(), kernel.name) != wanted.end())
        tessera::bench::measure(kernel);
  } catch (const tessera::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
