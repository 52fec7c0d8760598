#pragma once
// Counter-based random numbers, the same bits as on every other backend (core/random.h).

#include "core.cuh"
#include "scalar.cuh"
#include "vector.cuh"

namespace tessera {

// The bits of elements 4 * quad to 4 * quad + 3: one Philox gives four.
TESSERA_DEVICE Vector<u32, 4> random_quad(u64 seed, u64 stream, u64 step, u64 quad) {
  const u64 key = seed ^ stream;
  u32 k0 = static_cast<u32>(key), k1 = static_cast<u32>(key >> 32);
  Vector<u32, 4> w = {
      {static_cast<u32>(quad), static_cast<u32>(quad >> 32), static_cast<u32>(step), static_cast<u32>(step >> 32)}};
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
  return w;
}

// Those of `count` neighbours; `element` and `count` are multiples of 4.
template <int count>
TESSERA_DEVICE Vector<u32, count> random_run(u64 seed, u64 stream, u64 step, u64 element) {
  Vector<u32, count> bits;
#pragma unroll
  for (int first = 0; first < count; first += 4) {
    const Vector<u32, 4> quad = random_quad(seed, stream, step, (element + static_cast<u64>(first)) >> 2);
#pragma unroll
    for (int i = 0; i < 4; ++i) bits[first + i] = quad[i];
  }
  return bits;
}

TESSERA_DEVICE u32 random_bits(u64 seed, u64 stream, u64 step, u64 element) {
  const Vector<u32, 4> w = random_quad(seed, stream, step, element >> 2);
  const u32 which = static_cast<u32>(element) & 3;
  return which == 0 ? w[0] : which == 1 ? w[1] : which == 2 ? w[2] : w[3];
}

// Bits as a number in [0, 1).
TESSERA_DEVICE float uniform(u32 bits) { return static_cast<float>(bits >> 8) * 0x1p-24f; }

}  // namespace tessera
