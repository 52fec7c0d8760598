#pragma once
// Counter-based random numbers, the same bits as on every other backend (core/random.h).

#include "core.cuh"
#include "scalar.cuh"

namespace tessera {

TESSERA_DEVICE u32 random_bits(u64 seed, u64 stream, u64 step, u64 element) {
  const u64 key = seed ^ stream;
  u32 k0 = static_cast<u32>(key), k1 = static_cast<u32>(key >> 32);
  u32 w[4] = {static_cast<u32>(element >> 2), static_cast<u32>(element >> 34), static_cast<u32>(step),
              static_cast<u32>(step >> 32)};
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const u64 p0 = static_cast<u64>(w[0]) * 0xD2511F53u, p1 = static_cast<u64>(w[2]) * 0xCD9E8D57u;
    w[0] = static_cast<u32>(p1 >> 32) ^ w[1] ^ k0;
    w[1] = static_cast<u32>(p1);
    w[2] = static_cast<u32>(p0 >> 32) ^ w[3] ^ k1;
    w[3] = static_cast<u32>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  const u32 which = static_cast<u32>(element) & 3;
  return which == 0 ? w[0] : which == 1 ? w[1] : which == 2 ? w[2] : w[3];
}

TESSERA_DEVICE float uniform(u64 seed, u64 stream, u64 step, u64 element) {
  return static_cast<float>(random_bits(seed, stream, step, element) >> 8) * 0x1p-24f;
}

}  // namespace tessera
