#include "tests/bench/fma_peak.h"

#include <immintrin.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

namespace tessera::bench {
namespace {

constexpr long rounds = 20'000'000;
constexpr int chains = 12;  // latency 4 × 2 units, with some to spare

__attribute__((target("avx512f"))) float loop512() {
  __m512 x[chains], a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(1e-3f);
  for (int i = 0; i < chains; ++i) x[i] = _mm512_set1_ps(static_cast<float>(i));
  for (long r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < chains; ++i) x[i] = _mm512_fmadd_ps(x[i], a, b);
  }
  for (int i = 1; i < chains; ++i) x[0] = _mm512_add_ps(x[0], x[i]);
  float lanes[16];
  _mm512_storeu_ps(lanes, x[0]);
  return lanes[0] + lanes[15];
}

__attribute__((target("avx2,fma"))) float loop256() {
  __m256 x[chains], a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(1e-3f);
  for (int i = 0; i < chains; ++i) x[i] = _mm256_set1_ps(static_cast<float>(i));
  for (long r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < chains; ++i) x[i] = _mm256_fmadd_ps(x[i], a, b);
  }
  for (int i = 1; i < chains; ++i) x[0] = _mm256_add_ps(x[0], x[i]);
  float lanes[8];
  _mm256_storeu_ps(lanes, x[0]);
  return lanes[0] + lanes[7];
}

}  // namespace

double fma_gflops(int threads) {
  const bool wide = __builtin_cpu_supports("avx512f");
  const double flops = 2.0 * chains * (wide ? 16 : 8) * static_cast<double>(rounds) * threads;
  std::vector<std::thread> team;
  std::vector<float> sink(static_cast<size_t>(threads));
  auto start = std::chrono::steady_clock::now();
  for (float& s : sink) team.emplace_back([&s, wide] { s = wide ? loop512() : loop256(); });
  for (std::thread& t : team) t.join();
  return flops / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() * 1e-9;
}

double fma_peak_gflops(int threads) {
  double best = 0;
  for (int attempt = 0; attempt < 3; ++attempt) best = std::max(best, fma_gflops(threads));
  return best;
}

double thread_seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double fma_peak_gflops_of_thread() {
  const bool wide = __builtin_cpu_supports("avx512f");
  double start = thread_seconds();
  volatile float sink = wide ? loop512() : loop256();
  (void)sink;
  return 2.0 * chains * (wide ? 16 : 8) * static_cast<double>(rounds) / (thread_seconds() - start) * 1e-9;
}

}  // namespace tessera::bench
