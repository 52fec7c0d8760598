#include "tests/bench/copy_rate.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include <tessera/core/buffer.h>

namespace tessera::bench {

double copy_gigabytes_per_second(int threads) {
  constexpr size_t bytes = size_t{256} << 20;
  Buffer from(bytes), to(bytes);  // in the same kind of pages as tensors
  std::memset(from.data(), 1, bytes);
  std::memset(to.data(), 2, bytes);
  const size_t share = bytes / static_cast<size_t>(threads);
  double best = 0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    std::vector<std::thread> team;
    auto start = std::chrono::steady_clock::now();
    for (size_t k = 0; k < static_cast<size_t>(threads); ++k)
      team.emplace_back([&, k] { std::memcpy(to.as<char>() + k * share, from.as<char>() + k * share, share); });
    for (std::thread& thread : team) thread.join();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::max(best, 2e-9 * static_cast<double>(share * static_cast<size_t>(threads)) / seconds);
  }
  return best;
}

}  // namespace tessera::bench
