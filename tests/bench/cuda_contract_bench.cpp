// Products on a GPU beside cuBLASLt in the same run: f32 as the library does it by default, pedantically, and in tf32; bf16.
//
//   cuda_contract_bench [f32] [tf32] [bf16] [large] [--only WORD] [--schedules N] [--any-card]
//
// `tf32` is f32 under the policy of that name. `large` are the shapes that bf16 and tf32 are judged by, with the four layouts of operands and with an epilogue; these are timed in
// turns with our own product of the same operands and nothing behind it, whose time over theirs stands last. With --only, those
// whose name has one of the words that were given so. With --schedules, each of the first N of a bf16 product's schedules
// for wgmma is timed; with --any-card the kernel of any card beside.
//
// A ratio above 1 says that ours is faster. The last column is the largest difference from the pedantic (bf16: the library's)
// result, in units of the largest element; for tf32 those of ours and of the library's from sums in f64, of 2,000 elements.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <tessera/autograd/grad.h>
#include <tessera/codegen/cuda/executor/run_program.h>
#include <tessera/core/convert.h>
#include <tessera/core/error.h>
#include <tessera/core/ops.h>
#include <tessera/nn/functional.h>

#include "tests/bench/cublaslt.h"
#include "tests/codegen/cuda_rows/programs.h"
#include "tests/support/host_data.h"

namespace tessera::bench {
namespace {

using cuda::CublasLt;
using Precision = CublasLt::Precision;

constexpr int rounds = 10;
constexpr int of_any_card = 1000;  // there is no such schedule for wgmma

// What is multiplied how.
struct Kind {
  const char* name;
  DType dtype;
  std::vector<Precision> peers;  // the ratio to the first counts

  bool is_tf32() const { return name == std::string_view("tf32"); }
};
const Kind kinds[] = {{"f32", f32, {Precision::f32, Precision::tf32, Precision::f32_pedantic}},
                      {"tf32", f32, {Precision::tf32}},
                      {"bf16", bf16, {Precision::bf16}}};

// What follows the product: bias and gelu, whose input is kept; or the derivative of gelu, by that input.
enum class Behind { nothing, gelu, slope_of_gelu };

struct Shape3 {
  const char* what;
  int m, n, k, batch = 1;
  bool a_along_k = true, b_along_k = true;
  Behind behind = Behind::nothing;
};

constexpr Shape3 large[] = {
    {"4096 cubed", 4096, 4096, 4096},
    {"8192 cubed", 8192, 8192, 8192},
    {"GPT-2 up", 16384, 3072, 768},
    {"GPT-2 down", 16384, 768, 3072},
    {"GPT-2 qkv", 16384, 2304, 768},
    {"GPT-2 logits", 16384, 50304, 768},
    {"a larger model's up", 8192, 14336, 4096},
    {"a along rows", 8192, 4096, 4096, 1, false, true},
    {"b along rows", 8192, 4096, 4096, 1, true, false},
    {"both along rows", 8192, 4096, 4096, 1, false, false},
    {"both along K", 8192, 4096, 4096},
    {"GPT-2 up, weight gradient", 3072, 768, 16384, 1, false, false},
    {"GPT-2 up, data gradient", 16384, 768, 3072, 1, true, false},
    {"few rows", 64, 4096, 4096},
    {"with bias, gelu and its input", 16384, 3072, 768, 1, true, true, Behind::gelu},
    {"larger, with gelu", 8192, 14336, 4096, 1, true, true, Behind::gelu},
    {"8192 cubed with gelu", 8192, 8192, 8192, 1, true, true, Behind::gelu},
    {"GPT-2 down, data gradient, gelu's derivative", 32768, 3072, 768, 1, true, false, Behind::slope_of_gelu},
};

constexpr Shape3 shapes[] = {
    {"GPT-2 qkv", 8192, 2304, 768},
    {"GPT-2 out", 8192, 768, 768},
    {"GPT-2 up", 8192, 3072, 768},
    {"GPT-2 down", 8192, 768, 3072},
    {"GPT-2 logits", 8192, 50304, 768},
    {"GPT-2 up, data gradient", 8192, 768, 3072, 1, true, false},
    {"GPT-2 up, weight gradient", 3072, 768, 8192, 1, false, false},
    {"GPT-2 out, weight gradient", 768, 768, 8192, 1, false, false},
    {"GPT-2 scores", 1024, 1024, 64, 96},
    {"GPT-2 weighted values", 1024, 64, 1024, 96, true, false},
    {"small GPT, up", 4096, 1024, 256},
    {"small GPT, weight gradient", 1024, 256, 4096, 1, false, false},
    {"small GPT, scores", 256, 256, 32, 128},
    {"ViT, qkv", 6400, 384, 128},
    {"ragged", 333, 777, 1111},
    {"K of 1", 4096, 4096, 1},
    {"one row", 1, 50304, 768},
    {"a thousand tiny ones", 24, 24, 24, 1000},
};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

// Random numbers in [-1, 1), the same 64 Ki of them again and again from another place on.
Tensor repeated(const std::string& name, DType dtype, const Shape& shape) {
  constexpr int64_t period = (1 << 16) + 1;
  testing::Draw draw(name == "a" ? 5 : 6);
  auto buffer = std::make_shared<Buffer>(static_cast<size_t>(shape.numel()) * size_of(dtype));
  const auto bytes = buffer->bytes();
  for (int64_t i = 0; i < std::min(period, shape.numel()); ++i)
    store_double(buffer->data(), dtype, i, draw.uniform(-1, 1));
  const size_t first = static_cast<size_t>(period) * size_of(dtype);
  for (size_t at = first; at < bytes; at += first)
    std::memcpy(buffer->as<char>() + at, buffer->data(), std::min(first, bytes - at));
  return tensor_from(std::move(buffer), dtype, shape);
}

testing::RowProgram product(const Shape3& s, const Kind& kind) {
  const DType dtype = kind.dtype;
  testing::RowProgram made = testing::recorded_program("product", repeated, [&](const testing::MakeInput& keep) {
    const int64_t batch = s.batch, m = s.m, n = s.n, k = s.k;
    Tensor a = keep("a", dtype, s.a_along_k ? Shape{batch, m, k} : Shape{batch, k, m});
    Tensor b = keep("b", dtype, s.b_along_k ? Shape{batch, n, k} : Shape{batch, k, n});
    Tensor d = einsum(std::string(s.a_along_k ? "zmk" : "zkm") + (s.b_along_k ? ",znk" : ",zkn") + "->zmn", a, b);
    if (s.behind == Behind::nothing) return std::vector{d};
    if (s.behind == Behind::slope_of_gelu) {
      Tensor h = keep("h", dtype, Shape{batch, m, n});
      return std::vector{grad(sum(nn::gelu(h) * d), h)};
    }
    Tensor h = d + keep("bias", dtype, Shape{n});
    return std::vector{h, nn::gelu(h)};
  });
  if (kind.is_tf32()) made.program.precision = "tf32";
  return made;
}

// Of one launch of each, in turns, in microseconds: so many at once that the clock is fine enough.
std::vector<double> times_of(const std::vector<std::function<void()>>& all) {
  cuda::Stopwatch watch;
  std::vector<int> launches;
  for (const auto& run : all) {
    run();
    watch.start();
    run();
    launches.push_back(std::clamp(static_cast<int>(2 / std::max(watch.milliseconds(), 1e-3)), 1, 100));
  }
  std::vector<std::vector<double>> times(all.size());
  for (int round = 0; round < rounds; ++round)
    for (size_t k = 0; k < all.size(); ++k) {
      watch.start();
      for (int i = 0; i < launches[k]; ++i) all[k]();
      times[k].push_back(watch.milliseconds() * 1e3 / launches[k]);
    }
  std::vector<double> medians;
  for (const std::vector<double>& of_one : times) medians.push_back(median(of_one));
  return medians;
}

double difference(const Buffer& x, const Buffer& y, DType dtype, int64_t count) {
  double largest = 0, furthest = 0;
  for (int64_t i = 0; i < count; i += 1 + count / 1'000'000) {
    const double expected = load_double(y.read(), dtype, i);
    largest = std::max(largest, std::fabs(expected));
    furthest = std::max(furthest, std::fabs(load_double(x.read(), dtype, i) - expected));
  }
  return furthest / largest;
}

// The largest error beside sums in f64 of some elements, in units of the largest of them.
double error_beside_f64(const Buffer& d, const Buffer& a, const Buffer& b, const Shape3& s) {
  testing::Draw draw(9);
  double largest = 0, furthest = 0;
  for (int sample = 0; sample < 2000; ++sample) {
    const int64_t z = draw.below(s.batch), i = draw.below(s.m), j = draw.below(s.n);
    double sum = 0;
    for (int64_t l = 0; l < s.k; ++l)
      sum += load_double(a.read(), f32, z * s.m * s.k + (s.a_along_k ? i * s.k + l : l * s.m + i)) *
             load_double(b.read(), f32, z * s.n * s.k + (s.b_along_k ? j * s.k + l : l * s.n + j));
    largest = std::max(largest, std::fabs(sum));
    furthest = std::max(furthest, std::fabs(load_double(d.read(), f32, (z * s.m + i) * s.n + j) - sum));
  }
  return furthest / largest;
}

// The line of the product's text, which may have others before it and behind it.
std::string schedule_of(const cuda::LoweredProgram& lowered) {
  for (const cuda::KernelSource& kernel : lowered.kernels)
    if (const size_t at = kernel.text.find("schedule   tile "); at != std::string::npos)
      return kernel.text.substr(at, kernel.text.find('\n', at) - at);
  return "";
}

void measure(CublasLt& peer, const Shape3& s, const Kind& kind, int schedule, std::vector<double>& ratios) {
  const DType dtype = kind.dtype;
  testing::RowProgram made = product(s, kind);
  cuda::CompiledProgram compiled = cuda::compile_program(made.program, {cuda::use_device().architecture, schedule});
  const std::string how = schedule_of(compiled.lowered);
  cuda::ProgramRunner runner(std::move(compiled));
  runner.begin(made.program, made.arguments);
  std::vector<std::function<void()>> runs{[&] { runner.launch_all(); }};
  Shape3 nothing_behind = s;
  nothing_behind.behind = Behind::nothing;
  std::optional<testing::RowProgram> plain_made;
  std::optional<cuda::ProgramRunner> plain;
  if (s.behind != Behind::nothing) {
    plain_made = product(nothing_behind, kind);
    plain.emplace(cuda::compile_program(plain_made->program, {cuda::use_device().architecture}));
    plain->begin(plain_made->program, plain_made->arguments);
    runs.emplace_back([&] { plain->launch_all(); });
  }
  const std::vector<double> times = times_of(runs);
  const double ours = times[0];
  const std::vector<BufferPtr> results = runner.end(made.program, made.arguments);
  if (plain) plain->end(plain_made->program, plain_made->arguments);
  const std::string beside_plain =
      plain ? fmt::format("   ours with nothing behind {:.1f} us, {:.3f}", times[1], times[1] / ours) : "";

  const int64_t count = int64_t{s.batch} * s.m * s.n;
  const double flops = 2.0 * static_cast<double>(count) * s.k;
  std::printf("%-27s %5d x %5d x %5d %4s %9.1f us %7.1f TFLOP/s", s.what, s.m, s.n, s.k, kind.name, ours,
              flops / ours / 1e6);
  if (schedule >= 0) {  // one of several: the library was timed with the first
    std::printf("%s   %s\n", beside_plain.c_str(), how.c_str());
    std::fflush(stdout);
    return;
  }
  std::vector<std::unique_ptr<cuda::StreamBuffer>> operands;
  for (size_t k = 0; k < 2; ++k) {
    const BufferPtr& argument = made.arguments[k];
    operands.push_back(std::make_unique<cuda::StreamBuffer>(argument->bytes()));
    operands.back()->copy_in(argument->read(), argument->bytes());
  }
  cuda::StreamBuffer d(static_cast<size_t>(count) * size_of(dtype));
  std::string apart;
  for (Precision precision : kind.peers) {
    double best = INFINITY;
    for (const auto& run : peer.prepare(operands[0]->address(), operands[1]->address(), d.address(),
                                        {precision, s.m, s.n, s.k, s.batch, s.a_along_k, s.b_along_k}))
      best = std::min(best, times_of({run})[0]);
    std::printf("   %9.1f us %6.3f", best, best / ours);
    if (precision == kind.peers.front() && std::isfinite(best)) ratios.push_back(best / ours);
    Buffer expected(static_cast<size_t>(count) * size_of(dtype));
    d.copy_out(expected.data(), expected.bytes());
    cuda::wait_for_device();
    if (s.behind != Behind::nothing) continue;
    auto error = [&](const Buffer& d_of_one) {
      return error_beside_f64(d_of_one, *made.arguments[0], *made.arguments[1], s);
    };
    apart = kind.is_tf32() ? fmt::format("{:.1e}, {:.1e}", error(*results[0]), error(expected))
                           : fmt::format("{:.1e}", difference(*results[0], expected, dtype, count));
  }
  std::printf("   %s%s  %s\n", apart.c_str(), beside_plain.c_str(), how.c_str());
  std::fflush(stdout);
}

}  // namespace
}  // namespace tessera::bench

int main(int count, char** words) {
  using namespace tessera;
  std::vector<const bench::Kind*> chosen;
  auto choose = [&](std::string_view name) {
    for (const bench::Kind& kind : bench::kinds)
      if (name == kind.name) chosen.push_back(&kind);
  };
  bool is_large = false;
  int schedules = 0;
  bool beside_any_card = false;
  std::vector<std::string> only;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    choose(word);
    if (word == "large") is_large = true;
    else if (word == "--any-card") beside_any_card = true;
    else if (word == "--only" && i + 1 < count) only.emplace_back(words[++i]);
    else if (word == "--schedules" && i + 1 < count) schedules = std::atoi(words[++i]);
  }
  if (chosen.empty()) {
    if (!is_large) choose("f32");
    choose("bf16");
  }
  try {
    std::printf("%s\n", cuda::use_device().name.c_str());
    cuda::CublasLt peer;
    for (const bench::Kind* kind : chosen) {
      std::printf("%-27s %21s      %12s %15s   %s\n", "product", "m x n x k", "ours", "",
                  kind->peers.size() == 1 ? "cuBLASLt ratio" : "cuBLASLt f32 ratio, tf32 ratio, pedantic ratio");
      std::vector<double> ratios;
      const std::vector<bench::Shape3> all = is_large ? std::vector(std::begin(bench::large), std::end(bench::large))
                                                      : std::vector(std::begin(bench::shapes), std::end(bench::shapes));
      for (const bench::Shape3& shape : all) {
        const std::string_view what = shape.what;
        if (!only.empty() && std::ranges::none_of(only, [&](auto& word) { return what.find(word) != what.npos; }))
          continue;
        bench::measure(peer, shape, *kind, -1, ratios);
        std::vector<double> not_counted;
        for (int schedule = 0; schedule < schedules; ++schedule)
          bench::measure(peer, shape, *kind, schedule, not_counted);
        if (beside_any_card) bench::measure(peer, shape, *kind, bench::of_any_card, not_counted);
      }
      double sum = 0;
      for (double ratio : ratios) sum += std::log(ratio);
      std::printf("geometric mean of the first ratio: %.3f\n", std::exp(sum / static_cast<double>(ratios.size())));
    }
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
