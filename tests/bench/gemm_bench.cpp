// f32 products through compile(): GFLOP/s, and the share of what a register-only FMA loop reaches beside each: a virtual
// machine whose cores are shared changes its rate by half within seconds.

#include <benchmark/benchmark.h>

#include <string>

#include <tessera/core/compile.h>
#include <tessera/core/random.h>

#include "tests/bench/fma_peak.h"
#include "tests/bench/products.h"
#include "tests/bench/threads.h"

namespace tessera {
namespace {

void gemm(benchmark::State& state, bench::Product p) {
  Tensor a = uniform(p.a_transposed ? Shape{p.k, p.m} : Shape{p.m, p.k}, -1, 1);
  Tensor b = uniform(p.b_transposed ? Shape{p.n, p.k} : Shape{p.k, p.n}, -1, 1);
  a.eval(), b.eval();
  auto product = compile([&](Tensor x, Tensor y) { return p.of(x, y); });
  product(a, b), product(a, b);
  double before = bench::fma_peak_gflops(bench::thread_count());
  for (auto _ : state) benchmark::DoNotOptimize(product(a, b));
  double peak = (before + bench::fma_peak_gflops(bench::thread_count())) / 2;
  double flops = 2.0 * static_cast<double>(p.m * p.n * p.k);
  state.counters["GFLOP/s"] = benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["of_peak"] = benchmark::Counter(flops * 1e-9 / peak, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["peak"] = peak;
}

[[maybe_unused]] const bool registered = [] {
  for (const bench::Product& p : bench::products)
    benchmark::RegisterBenchmark(("gemm/" + std::string(p.name)).c_str(), gemm, p)->UseRealTime();
  return true;
}();

}  // namespace
}  // namespace tessera
