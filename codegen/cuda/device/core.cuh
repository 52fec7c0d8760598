#pragma once
// Types, positions of threads, and arithmetic on single values. Nothing here includes the CUDA toolkit: NVRTC gets this
// folder from memory and needs no file.

#define TESSERA_DEVICE __device__ __forceinline__

namespace tessera {

using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;
static_assert(sizeof(u16) == 2 && sizeof(u32) == 4 && sizeof(u64) == 8, "registers of PTX");

struct bf16 {
  u16 bits;
};

constexpr float infinity = __builtin_bit_cast(float, 0x7f800000);
constexpr float log2_e = 1.4426950408889634f;
constexpr float ln_2 = 0.6931471805599453f;

// ---- where a thread stands: lane in warp, warp in warpgroup (128 threads), warpgroup in block ----

TESSERA_DEVICE int lane() { return static_cast<int>(threadIdx.x % 32); }
TESSERA_DEVICE int thread_of_warpgroup() { return static_cast<int>(threadIdx.x % 128); }
TESSERA_DEVICE int warp_of_warpgroup() { return static_cast<int>(threadIdx.x / 32 % 4); }
// The thread, where a loop begins another step. A text that spills is compiled once more with TESSERA_ADDRESSES_ANEW: what
// follows from the thread is then computed in each step, and takes no registers in between.
TESSERA_DEVICE int thread_of_step() {
#ifdef TESSERA_ADDRESSES_ANEW
  int thread;
  asm volatile("mov.u32 %0, %%tid.x;" : "=r"(thread));
  return thread;
#else
  return static_cast<int>(threadIdx.x);
#endif
}
// The shuffle tells the compiler that all lanes agree, so that roles are branches of whole warps.
TESSERA_DEVICE int warpgroup() { return __shfl_sync(0xffffffff, static_cast<int>(threadIdx.x / 128), 0); }

// Registers per thread of this warpgroup from here on; a multiple of 8. All four warps of it must come here.
template <int count>
TESSERA_DEVICE void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(count));
}
template <int count>
TESSERA_DEVICE void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(count));
}

// ---- single values ----

// 2^x within 2 ulp; 2^-infinity is 0.
TESSERA_DEVICE float exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// log2(x) within 2^-22 absolute; log2(0) is -infinity.
TESSERA_DEVICE float log2(float x) {
  float y;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// 1 / x within 1 ulp; 0 where that is no normal number.
TESSERA_DEVICE float reciprocal(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
TESSERA_DEVICE float reciprocal_or_zero(float x) { return x == 0.f ? 0.f : __fdividef(1.f, x); }

// Two values rounded to nearest even, `low` at the lower address.
TESSERA_DEVICE u32 pack_bf16(float low, float high) {
  u32 packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));  // PTX names the upper half first
  return packed;
}

}  // namespace tessera
