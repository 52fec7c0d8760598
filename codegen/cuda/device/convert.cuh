#pragma once
// bf16, f16 and f8 to f32 and back: to nearest even.

#include "core.cuh"
#include "f8.cuh"

namespace tessera {

struct f16 {
  u16 bits;
};

TESSERA_DEVICE float widen(bf16 x) { return __uint_as_float(static_cast<u32>(x.bits) << 16); }
TESSERA_DEVICE float widen(f16 x) {
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
  return y;
}

// A double as a float whose last bit is set where anything was lost: rounding it once more then rounds once in all.
TESSERA_DEVICE float round_to_odd(double x) {
  const float y = __double2float_rz(x);
  return static_cast<double>(y) == x || x != x ? y : __uint_as_float(__float_as_uint(y) | 1);
}

template <> TESSERA_DEVICE bf16 narrow<bf16>(float x) {
  bf16 y;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
  return y;
}
template <> TESSERA_DEVICE f16 narrow<f16>(float x) {
  f16 y;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
  return y;
}
template <class To> TESSERA_DEVICE To narrow(double x) { return narrow<To>(round_to_odd(x)); }

// ---- NaN wins ----

TESSERA_DEVICE float larger(float x, float y) {
  float z;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(z) : "f"(x), "f"(y));
  return z;
}
TESSERA_DEVICE float smaller(float x, float y) {
  float z;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(z) : "f"(x), "f"(y));
  return z;
}

}  // namespace tessera
