// Convolutions of bf16 with channels last on a GPU, and their gradients, beside cuDNN in the same run, in turns.
//
//   cuda_conv_bench [--schedules N] [--only TEXT]
//
// With --schedules, each of the first N of a convolution's schedules for wgmma is timed. With --only, those whose line begins
// with what has all the texts that were given so: --only "3 x 224" --only forward. A ratio above 1 says that ours is
// faster. The last column is the largest difference from cuDNN's result, in units of its largest element.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <tessera/codegen/cuda/executor/run_program.h>
#include <tessera/core/convert.h>
#include <tessera/core/error.h>

#include "tests/bench/cudnn.h"
#include "tests/codegen/cuda_contract/programs.h"
#include "tests/support/host_data.h"

namespace tessera::bench {
namespace {

using cuda::Convolution;
using cuda::Cudnn;
using What = Cudnn::What;

constexpr int rounds = 12;

constexpr Convolution shapes[] = {
    {64, 64, 56, 64, 3, 1, 1},   {64, 256, 56, 64, 1, 1, 0},    {64, 128, 28, 128, 3, 1, 1},
    {64, 512, 7, 512, 3, 1, 1},  {64, 3, 224, 64, 7, 2, 3},     {16, 320, 64, 320, 3, 1, 1},
    {16, 640, 32, 640, 3, 1, 1}, {16, 1280, 16, 1280, 3, 1, 1}, {256, 3, 224, 768, 16, 16, 0},
};
constexpr What kinds[] = {What::forward, What::data_gradient, What::filter_gradient};
constexpr const char* names[] = {"forward", "data gradient", "filter gradient"};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

// Random normals, the same 64 Ki of them again and again from another place on.
Tensor repeated(const std::string& name, DType dtype, const Shape& shape) {
  constexpr int64_t period = (1 << 16) + 1;
  testing::Draw draw(static_cast<uint64_t>(name[0]));
  auto buffer = std::make_shared<Buffer>(static_cast<size_t>(shape.numel()) * size_of(dtype));
  for (int64_t i = 0; i < std::min(period, shape.numel()); ++i) {
    const double radius = std::sqrt(-2 * std::log(draw.uniform(1e-9, 1)));
    store_double(buffer->data(), dtype, i, radius * std::cos(2 * M_PI * draw.uniform(0, 1)));
  }
  const size_t first = static_cast<size_t>(period) * size_of(dtype);
  for (size_t at = first; at < buffer->bytes(); at += first)
    std::memcpy(buffer->as<char>() + at, buffer->data(), std::min(first, buffer->bytes() - at));
  return tensor_from(std::move(buffer), dtype, shape);
}

testing::RowProgram program(What what, const Convolution& s) {
  testing::ConvShape shape{
      .n = s.n, .h = s.h, .w = s.h, .c = s.c, .k = s.k, .r = s.r, .s = s.r, .stride = s.stride, .pad = s.pad};
  shape.what = what == What::forward         ? testing::ConvShape::What::forward
               : what == What::data_gradient ? testing::ConvShape::What::data_gradient
                                             : testing::ConvShape::What::filter_gradient;
  return testing::conv_program(shape, repeated);
}

// How often in a row, so that the clock is fine enough.
int launches_of(const std::function<void()>& run) {
  cuda::Stopwatch watch;
  run();
  watch.start();
  run();
  return std::clamp(static_cast<int>(1 / std::max(watch.milliseconds(), 1e-3)), 1, 50);
}

// Of one launch each, in microseconds, in turns.
std::vector<double> times_of(const std::vector<std::function<void()>>& all) {
  std::vector<int> launches;
  for (const auto& run : all) launches.push_back(launches_of(run));
  std::vector<std::vector<double>> times(all.size());
  cuda::Stopwatch watch;
  for (int round = 0; round < rounds; ++round)
    for (size_t k = 0; k < all.size(); ++k) {
      watch.start();
      for (int i = 0; i < launches[k]; ++i) all[k]();
      times[k].push_back(watch.milliseconds() * 1e3 / launches[k]);
    }
  std::vector<double> medians;
  for (std::vector<double>& of_one : times) medians.push_back(median(std::move(of_one)));
  return medians;
}

double difference(const Buffer& x, const Buffer& y, int64_t count) {
  double largest = 0, furthest = 0;
  for (int64_t i = 0; i < count; i += 1 + count / 1'000'000) {
    const double expected = load_double(y.read(), bf16, i);
    largest = std::max(largest, std::fabs(expected));
    furthest = std::max(furthest, std::fabs(load_double(x.read(), bf16, i) - expected));
  }
  return furthest / largest;
}

std::string schedule_of(const cuda::CompiledProgram& compiled) {
  std::string all;
  for (const cuda::KernelSource& kernel : compiled.lowered.kernels) {
    std::string how = kernel.text.substr(std::min(kernel.text.find("schedule   "), kernel.text.size()));
    all += (all.empty() ? "" : " | ") + how.substr(std::min<size_t>(how.size(), 11), how.find('\n') - 11);
    if (all.size() > 400) return all.substr(0, 400) + " …";
  }
  return all;
}

std::string label(size_t kind, const Convolution& s) {
  return fmt::format("{:3} x {:4} x {:3}^2, k {:4}, {:2}^2, s{:<2} {:<15}", s.n, s.c, s.h, s.k, s.r, s.stride,
                     names[kind]);
}

double measure(Cudnn& peer, size_t kind, const Convolution& s, int schedule) {
  const What what = kinds[kind];
  testing::RowProgram made = program(what, s);
  cuda::CompiledProgram compiled = cuda::compile_program(made.program, {cuda::use_device().architecture, schedule});
  const std::string how = schedule_of(compiled);
  cuda::ProgramRunner runner(std::move(compiled));
  runner.begin(made.program, made.arguments);

  const int64_t p = s.p();
  const std::vector<int64_t> counts = {int64_t{s.n} * s.h * s.h * s.c, int64_t{s.k} * s.r * s.r * s.c,
                                       s.n * p * p * s.k};
  std::vector<std::unique_ptr<cuda::StreamBuffer>> tensors;
  for (int64_t count : counts) tensors.push_back(std::make_unique<cuda::StreamBuffer>(static_cast<size_t>(count) * 2));
  const size_t read[3][2] = {{0, 1}, {2, 1}, {0, 2}}, written[3] = {2, 0, 1};
  for (size_t k = 0; k < 2; ++k) tensors[read[kind][k]]->copy_in(made.arguments[k]->read(), made.arguments[k]->bytes());
  const std::function<void()> theirs =
      peer.prepare(what, tensors[0]->address(), tensors[1]->address(), tensors[2]->address(), s);
  const std::vector<double> us = times_of({[&] { runner.launch_all(); }, theirs});

  const std::vector<BufferPtr> results = runner.end(made.program, made.arguments);
  Buffer expected(results[0]->bytes());
  tensors[written[kind]]->copy_out(expected.data(), expected.bytes());
  cuda::wait_for_device();
  const double flops = 2.0 * static_cast<double>(counts[2]) * s.c * s.r * s.r, ratio = us[1] / us[0];
  std::printf("%s %9.1f us %7.1f TFLOP/s %9.1f us %6.3f   %.1e  %s\n", label(kind, s).c_str(), us[0],
              flops / us[0] / 1e6, us[1], ratio, difference(*results[0], expected, counts[written[kind]]), how.c_str());
  std::fflush(stdout);
  return ratio;
}

}  // namespace
}  // namespace tessera::bench

int main(int count, char** words) {
  using namespace tessera;
  int schedules = 0;
  std::vector<std::string> only;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--schedules" && i + 1 < count) schedules = std::atoi(words[++i]);
    else if (word == "--only" && i + 1 < count) only.emplace_back(words[++i]);
  }
  try {
    std::printf("%s\n", cuda::use_device().name.c_str());
    cuda::Cudnn peer;
    std::printf("%-34s %-15s %12s %15s %12s %6s\n", "convolution, n x c x h^2", "", "ours", "", "cuDNN", "ratio");
    double all = 0;
    int shapes = 0;
    for (size_t kind = 0; kind < std::size(bench::kinds); ++kind) {
      double sum = 0;
      int of_kind = 0;
      for (const cuda::Convolution& shape : bench::shapes) {
        const std::string label = bench::label(kind, shape);
        if (std::ranges::any_of(only, [&](const auto& text) { return label.find(text) == label.npos; })) continue;
        sum += std::log(bench::measure(peer, kind, shape, -1)), ++of_kind;
        for (int schedule = 0; schedule < schedules; ++schedule) bench::measure(peer, kind, shape, schedule);
      }
      if (of_kind > 0) std::printf("%s: geometric mean %.3f\n", bench::names[kind], std::exp(sum / of_kind));
      all += sum, shapes += of_kind;
    }
    std::printf("geometric mean of all: %.3f\n", std::exp(all / shapes));
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
