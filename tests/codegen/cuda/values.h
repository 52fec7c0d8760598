#pragma once
// bf16 data of the tests and benchmarks of kernels: random normal, the same on every run.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace tessera::cuda {

inline float widen(uint16_t x) {
  uint32_t bits = static_cast<uint32_t>(x) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline uint16_t round_to_bf16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);  // finite values alone
}

// Draws from a table of a million normals: large tensors take as long as writing them.
inline std::vector<uint16_t> normals(size_t count, uint64_t seed) {
  static const std::vector<uint16_t> table = [] {
    std::mt19937_64 engine(7);
    std::normal_distribution<float> normal;
    std::vector<uint16_t> t(1 << 20);
    for (uint16_t& x : t) x = round_to_bf16(normal(engine));
    return t;
  }();
  std::vector<uint16_t> values(count);
  uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
  for (uint16_t& x : values) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    x = table[state >> 44];
  }
  return values;
}

}  // namespace tessera::cuda
