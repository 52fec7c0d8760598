// f32 products through compile(): GFLOP/s, and the share of what a register-only FMA loop reaches beside each: a virtual
// machine whose cores are shared changes its rate by half within seconds.

#include <benchmark/benchmark.h>

#include <string>

#include <tessera/core/compile.h>
#include <tessera/core/random.h>

#include "tests/bench/fma_peak.h"
#include "tests/bench/threads.h"

namespace tessera {
namespace {

struct Product {
  const char* name;
  int64_t m, n, k;
  bool a_transposed = false, b_transposed = false;
};

void gemm(benchmark::State& state, Product p) {
  Tensor a = uniform(p.a_transposed ? Shape{p.k, p.m} : Shape{p.m, p.k}, -1, 1);
  Tensor b = uniform(p.b_transposed ? Shape{p.n, p.k} : Shape{p.k, p.n}, -1, 1);
  a.eval(), b.eval();
  auto product = compile(
      [&](Tensor x, Tensor y) { return matmul(p.a_transposed ? transpose(x) : x, p.b_transposed ? transpose(y) : y); });
  product(a, b), product(a, b);
  double before = bench::fma_peak_gflops(bench::thread_count());
  for (auto _ : state) benchmark::DoNotOptimize(product(a, b));
  double peak = (before + bench::fma_peak_gflops(bench::thread_count())) / 2;
  double flops = 2.0 * static_cast<double>(p.m * p.n * p.k);
  state.counters["GFLOP/s"] = benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["of_peak"] = benchmark::Counter(flops * 1e-9 / peak, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["peak"] = peak;
}

const Product products[] = {
    {"512", 512, 512, 512},
    {"1024", 1024, 1024, 1024},
    {"2048", 2048, 2048, 2048},
    {"1024 At", 1024, 1024, 1024, true, false},
    {"1024 Bt", 1024, 1024, 1024, false, true},
    {"1024 At Bt", 1024, 1024, 1024, true, true},
    {"256x1024x4096", 256, 1024, 4096},
    {"4096x1024x256", 4096, 1024, 256},
    {"1024x256x4096 At", 1024, 256, 4096, true, false},
};

[[maybe_unused]] const bool registered = [] {
  for (const Product& p : products)
    benchmark::RegisterBenchmark(("gemm/" + std::string(p.name)).c_str(), gemm, p)->UseRealTime();
  return true;
}();

}  // namespace
}  // namespace tessera
