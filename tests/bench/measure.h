#pragma once
// The clock of benchmarks that run kernels alone, and the FMA rate by the same clock.

#include <chrono>
#include <cstdlib>

#include "tests/bench/fma_peak.h"

namespace tessera::bench {

// TESSERA_THREADS, by default one. One is timed by its own processor time, several by the wall.
inline int threads() {
  const char* value = std::getenv("TESSERA_THREADS");
  return value ? std::atoi(value) : 1;
}

inline double seconds() {
  if (threads() == 1) return thread_seconds();
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline double peak_now() { return threads() == 1 ? fma_peak_gflops_of_thread() : fma_peak_gflops(threads()); }

}  // namespace tessera::bench
