#pragma once
// Mixing for structural hashes in memory. Disk keys use a cryptographic hash instead (codegen/cache).

#include <cstdint>
#include <string_view>

namespace tessera {

// The finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): a bijection with full avalanche.
constexpr uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}
constexpr uint64_t combine(uint64_t seed, uint64_t value) { return mix(seed ^ mix(value)); }
constexpr uint64_t hash_text(std::string_view text) {
  uint64_t h = text.size();
  for (char c : text) h = combine(h, static_cast<unsigned char>(c));
  return h;
}

}  // namespace tessera
