// Memory of tensors: aligned, and large blocks are reused instead of being cleared by the system again.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <memory>
#include <thread>
#include <vector>

#include <tessera/core/buffer.h>
#include <tessera/core/error.h>

namespace tessera {
namespace {

constexpr size_t mib = size_t{1} << 20;

TEST(Buffer, IsAligned) {
  for (size_t bytes : {size_t{0}, size_t{1}, size_t{100}, 3 * mib, 5 * mib + 4}) {
    Buffer buffer(bytes);
    EXPECT_EQ(buffer.bytes(), bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % 64, 0u);
    std::memset(buffer.data(), 1, bytes);
  }
}

TEST(Buffer, MoreThanThereIsThrows) {
  for (size_t bytes : {size_t{1} << 60, ~size_t{0}, ~size_t{0} - 3 * mib}) EXPECT_THROW(Buffer{bytes}, OutOfMemory);
}

TEST(Buffer, LargeBlocksServeTheNextOfTheirSize) {
  auto first = std::make_unique<Buffer>(16 * mib);
  void* block = first->data();
  first.reset();
  Buffer other(12 * mib), same(16 * mib), another(16 * mib);
  EXPECT_NE(other.data(), block);
  EXPECT_EQ(same.data(), block);
  EXPECT_NE(another.data(), block);
}

size_t resident_bytes() {
  size_t all = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

// Sizes that no later tensor has would otherwise pile up.
TEST(Buffer, LittleIsKeptOfWhatIsNeverAskedForAgain) {
  size_t before = resident_bytes();
  for (size_t i = 0; i < 96; ++i) {
    Buffer buffer(8 * mib + 64 * i);
    std::memset(buffer.data(), 1, buffer.bytes());
  }
  EXPECT_LT(resident_bytes(), before + 256 * mib);  // 128 MiB are kept
}

TEST(Buffer, ThreadsNeverShareABlock) {
  std::vector<std::thread> team;
  std::vector<int> wrong(4, 0);
  for (int t = 0; t < 4; ++t) {
    team.emplace_back([&wrong, t] {
      for (int round = 0; round < 200; ++round) {
        Buffer buffer(4 * mib);
        auto* words = buffer.as<int>();
        words[0] = words[mib - 1] = t;
        std::this_thread::yield();
        wrong[static_cast<size_t>(t)] += words[0] != t || words[mib - 1] != t;
      }
    });
  }
  for (std::thread& thread : team) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

}  // namespace
}  // namespace tessera
