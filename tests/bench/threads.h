#pragma once
// How many threads a benchmark's program runs on: what the library will take too.

#include <cstdlib>
#include <thread>

namespace tessera::bench {

inline int thread_count() {
  const char* value = std::getenv("TESSERA_THREADS");
  return value ? std::atoi(value) : static_cast<int>(std::thread::hardware_concurrency());
}

}  // namespace tessera::bench
