// Kernels that wait for memory, on a GPU: time, and the share of the rate at which the driver copies memory in the same run.
// Counted are the bytes of arguments and results alone, each once; what a program moves beside counts against it.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include <tessera/codegen/cuda/executor/run_program.h>
#include <tessera/core/convert.h>
#include <tessera/core/error.h>

#include "tests/codegen/cuda_rows/programs.h"
#include "tests/support/host_data.h"

namespace tessera::bench {
namespace {

constexpr int64_t rows = 16384, columns = 4096;
constexpr int rounds = 20;

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

// Random numbers in [1, 2), the same 64 Ki of them again and again.
Tensor repeated(const std::string&, DType dtype, const Shape& shape) {
  constexpr int64_t period = 1 << 16;
  testing::Draw draw(5);
  const auto bytes = static_cast<size_t>(shape.numel()) * size_of(dtype);
  auto buffer = std::make_shared<Buffer>(bytes);
  for (int64_t i = 0; i < std::min(period, shape.numel()); ++i)
    store_double(buffer->data(), dtype, i, draw.uniform(1, 2));
  const size_t first = static_cast<size_t>(period) * size_of(dtype);
  for (size_t at = first; at < bytes; at += first)
    std::memcpy(buffer->as<char>() + at, buffer->data(), std::min(first, bytes - at));
  return tensor_from(std::move(buffer), dtype, shape);
}

void measure(const std::string& name) {
  testing::RowProgram made = testing::row_program(name, rows, columns, bf16, repeated);
  cuda::ProgramRunner runner(cuda::compile_program(made.program, cuda::use_device().architecture));
  const codegen::Plan& plan = runner.lowered().plan;
  double bytes = 0;
  for (int value : plan.arguments) bytes += static_cast<double>(plan.values[static_cast<size_t>(value)].bytes);
  for (int value : plan.results) bytes += static_cast<double>(plan.values[static_cast<size_t>(value)].bytes);
  runner.begin(made.program, made.arguments);

  constexpr size_t copied = size_t{512} << 20;
  cuda::StreamBuffer from(copied), to(copied);
  cuda::Stopwatch watch;
  std::vector<double> ours, copies;
  for (int round = -3; round < rounds; ++round) {
    watch.start();
    cuda::check(cuda::driver().copy_within_stream(to.address(), from.address(), copied, nullptr), "copy");
    const double copy = watch.milliseconds();
    watch.start();
    runner.launch_all();
    const double own = watch.milliseconds();
    if (round < 0) continue;  // code is loaded, pages are touched
    copies.push_back(copy), ours.push_back(own);
  }
  const double rate = bytes / median(ours) / 1e6, copy_rate = 2.0 * copied / median(copies) / 1e6;
  std::printf("%-20s %2zu launches %9.1f us %8.0f GB/s   copy %5.0f GB/s   share %.3f\n", name.c_str(),
              plan.launches.size(), median(ours) * 1e3, rate, copy_rate, rate / copy_rate);
}

}  // namespace
}  // namespace tessera::bench

int main(int argc, char** argv) {
  try {
    std::printf("%s, %lld x %lld bf16, AdamW on as many f32 values\n", tessera::cuda::use_device().name.c_str(),
                static_cast<long long>(tessera::bench::rows), static_cast<long long>(tessera::bench::columns));
    std::vector<std::string> names(argv + 1, argv + argc);
    if (names.empty()) names = tessera::testing::row_program_names();
    for (const std::string& name : names) tessera::bench::measure(name);
  } catch (const tessera::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
