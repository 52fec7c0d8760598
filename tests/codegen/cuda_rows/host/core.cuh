#pragma once
// Stands in for device/core.cuh when a row kernel is compiled for the processor. Threads of a block are fibers of the test
// program: what makes them wait for each other calls it.

#include <cmath>
#include <cstring>

#define TESSERA_DEVICE inline
#define __global__
#define __constant__
#define __shared__ static
#define __grid_constant__ &
#define __launch_bounds__(...)
#define __cluster_dims__(...)

struct Index3 {
  unsigned x;
};
struct uint2 {
  unsigned x, y;
};
struct uint4 {
  unsigned x, y, z, w;
};
struct float4 {
  float x, y, z, w;
};

struct HostBlock {
  Index3 thread, block;
  void (*wait)();                                                 // for all threads of the block
  void (*exchange)(const void* mine, void* of_lanes, int bytes);  // what each of the 32 lanes of the warp has
  void (*yield)();                                                // lets others run
  Index3 grid;
  int rank;  // of the block in its cluster
  void (*end_launch_before)();
  void (*published)();  // a word that the host looks at
};
extern "C" {
inline HostBlock* tessera_host_block = nullptr;
__attribute__((visibility("default"), used)) inline void tessera_set_block(HostBlock* block) { tessera_host_block = block; }
}
#define threadIdx (tessera_host_block->thread)
#define blockIdx (tessera_host_block->block)
#define gridDim (tessera_host_block->grid)

inline void __syncthreads() { tessera_host_block->wait(); }
template <class T> T __shfl_xor_sync(unsigned, T x, int distance) {
  T of_lanes[32];
  tessera_host_block->exchange(&x, of_lanes, sizeof x);
  return of_lanes[threadIdx.x % 32 ^ static_cast<unsigned>(distance)];
}
template <class T> T __shfl_sync(unsigned, T x, int from) {
  T of_lanes[32];
  tessera_host_block->exchange(&x, of_lanes, sizeof x);
  return of_lanes[from];
}
template <class T> T __shfl_up_sync(unsigned, T x, int distance) {
  T of_lanes[32];
  tessera_host_block->exchange(&x, of_lanes, sizeof x);
  const int from = static_cast<int>(threadIdx.x % 32) - distance;
  return from < 0 ? x : of_lanes[from];
}
inline unsigned __ballot_sync(unsigned, bool is_set) {
  bool of_lanes[32];
  tessera_host_block->exchange(&is_set, of_lanes, sizeof is_set);
  unsigned set = 0;
  for (unsigned lane = 0; lane < 32; ++lane) set |= static_cast<unsigned>(of_lanes[lane]) << lane;
  return set;
}
template <class T> T __ldcs(const T* from) { return *from; }
template <class T> T __ldcg(const T* from) { return *from; }
inline void __threadfence() {}
inline float __fdividef(float x, float y) { return x / y; }
inline void __syncwarp() { __ballot_sync(0xffffffff, false); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
// Byte `selector >> 4 i & 7` of the two words, for each byte i.
inline unsigned __byte_perm(unsigned low, unsigned high, unsigned selector) {
  const unsigned long long both = static_cast<unsigned long long>(high) << 32 | low;
  unsigned made = 0;
  for (unsigned i = 0; i < 4; ++i)
    made |= static_cast<unsigned>(both >> (8 * (selector >> (4 * i) & 7)) & 0xff) << (8 * i);
  return made;
}
inline unsigned __dp4a(unsigned x, unsigned y, unsigned sum) {
  for (unsigned i = 0; i < 32; i += 8) sum += (x >> i & 0xff) * (y >> i & 0xff);
  return sum;
}
inline int atomicAdd(int* at, int x) { return (*at += x) - x; }
inline unsigned atomicAdd(unsigned* at, unsigned x) { return (*at += x) - x; }
inline unsigned atomicInc(unsigned* at, unsigned highest) {
  const unsigned old = *at;
  *at = old >= highest ? 0 : old + 1;
  return old;
}
inline void atomicMax(long long* at, long long x) { *at = *at > x ? *at : x; }
inline void atomicMin(long long* at, long long x) { *at = *at < x ? *at : x; }
template <class T> T min(T x, T y) { return x < y ? x : y; }
inline float rsqrtf(float x) { return static_cast<float>(1 / std::sqrt(static_cast<double>(x))); }
inline double rsqrt(double x) { return 1 / std::sqrt(x); }
inline unsigned __float_as_uint(float x) { return __builtin_bit_cast(unsigned, x); }
inline float __uint_as_float(unsigned x) { return __builtin_bit_cast(float, x); }
inline float __double2float_rz(double x) {
  const auto y = static_cast<float>(x);
  return std::fabs(static_cast<double>(y)) > std::fabs(x) ? std::nextafterf(y, 0.f) : y;
}

namespace tessera {

using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;

struct bf16 {
  u16 bits;
};

constexpr float infinity = __builtin_bit_cast(float, 0x7f800000);

constexpr float log2_e = 1.4426950408889634f;
constexpr float ln_2 = 0.6931471805599453f;

inline int lane() { return static_cast<int>(threadIdx.x % 32); }
inline int thread_of_step() { return static_cast<int>(threadIdx.x); }
inline int thread_of_warpgroup() { return static_cast<int>(threadIdx.x % 128); }
inline int warp_of_warpgroup() { return static_cast<int>(threadIdx.x / 32 % 4); }
inline int warpgroup() { return static_cast<int>(threadIdx.x / 128); }
template <int count> void give_registers() {}
template <int count> void take_registers() {}

inline float exp2(float x) { return std::exp2(x); }
inline float log2(float x) { return std::log2(x); }
inline float reciprocal(float x) { return 1.f / x; }
inline float reciprocal_or_zero(float x) { return x == 0.f ? 0.f : 1.f / x; }
inline u32 pack_bf16(float low, float high) {
  auto rounded = [](float x) {
    const u32 bits = __float_as_uint(x);
    return x != x ? u32{0x7fff} : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  };
  return rounded(low) | rounded(high) << 16;
}

}  // namespace tessera
