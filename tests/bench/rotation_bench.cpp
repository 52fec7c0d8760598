// Attention with queries and keys that are rotated by their position, 2 × 8 heads of 1024 × 1024 at width 64, all of a row or
// its first quarter: rotated where its kernels read them, and before, as a barrier asks. Processor time;
// --benchmark_enable_random_interleaving=true with --benchmark_repetitions=9 takes both sides in turns.

#include <benchmark/benchmark.h>

#include <cmath>
#include <vector>

#include <tessera/autograd/grad.h>
#include <tessera/core/compile.h>
#include <tessera/core/ops.h>

#include "tests/support/host_data.h"

namespace tessera {
namespace {

constexpr int64_t batch = 2, heads = 8, length = 1024, width = 64, half = width / 2;

Tensor table(double (*of)(double), bool pairs) {
  std::vector<double> values;
  for (int64_t t = 0; t < length; ++t)
    for (int64_t d = 0; d < half; ++d)
      values.push_back(of(static_cast<double>(t) * std::pow(10000.0, -static_cast<double>(d) / half)));
  return testing::from_doubles(values, f32, pairs ? Shape{length, 1, half, 1} : Shape{length, 1, half});
}

Tensor halves(const Tensor& x) {
  const Tensor cosine = table(std::cos, false), sine = table(std::sin, false);
  Tensor turned = concat({-slice(x, 3, {half, width}), slice(x, 3, {0, half})}, 3);
  return x * concat({cosine, cosine}, 2) + turned * concat({sine, sine}, 2);
}

Tensor pairs(const Tensor& x) {
  const Tensor cosine = table(std::cos, true), sine = table(std::sin, true);
  Tensor of = reshape(x, {batch, length, heads, half, 2}), a = slice(of, 4, {0, 1}), b = slice(of, 4, {1, 2});
  return reshape(concat({a * cosine - b * sine, a * sine + b * cosine}, 4), x.shape());
}

Tensor quarter(const Tensor& x) {
  constexpr int64_t columns = width / 4, middle = columns / 2;
  const Tensor cosine = slice(table(std::cos, false), 2, {0, middle}),
               sine = slice(table(std::sin, false), 2, {0, middle});
  Tensor a = slice(x, 3, {0, middle}), b = slice(x, 3, {middle, columns}), rest = slice(x, 3, {columns, width});
  return concat({a * cosine - b * sine, a * sine + b * cosine, rest}, 3);
}

Tensor plain(const Tensor& x) { return x; }

void attention(benchmark::State& state, Tensor (*rotated)(const Tensor&), bool before, bool trains) {
  std::vector<Tensor> in;
  testing::Draw draw(5);
  for (int i = 0; i < 3; ++i) in.push_back(testing::random_tensor(draw, f32, {batch, length, heads, width}, {-1, 1}));
  auto step = compile([&](std::vector<Tensor> of) {
    Tensor q = rotated(of[0]), k = rotated(of[1]);
    if (before) q = barrier(q), k = barrier(k);
    Tensor p = softmax(einsum("bthd,bshd->bhts", q, k) * 0.125, -1), o = einsum("bhts,bshd->bthd", p, of[2]);
    return trains ? grad(sum(o * o), of) : std::vector<Tensor>{o};
  });
  step(in);  // compiles
  for (auto _ : state) benchmark::DoNotOptimize(step(in));
}

[[maybe_unused]] const bool registered = [] {
  auto add = [](const std::string& name, Tensor (*rotated)(const Tensor&), bool before) {
    for (bool trains : {false, true})
      benchmark::RegisterBenchmark((name + (trains ? "/training" : "/forward")).c_str(), attention, rotated, before,
                                   trains)
          ->MeasureProcessCPUTime()
          ->Unit(benchmark::kMillisecond)
          ->Iterations(3);
  };
  add("plain", plain, false);
  add("halves/before", halves, true);
  add("halves/where_read", halves, false);
  add("quarter/before", quarter, true);
  add("quarter/where_read", quarter, false);
  add("pairs/before", pairs, true);
  add("pairs/where_read", pairs, false);
  return true;
}();

}  // namespace
}  // namespace tessera
