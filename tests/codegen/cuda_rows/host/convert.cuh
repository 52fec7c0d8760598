#pragma once
// Stands in for device/convert.cuh: the same roundings in integers.

#include "core.cuh"
#include "f8.cuh"

namespace tessera {

struct f16 {
  u16 bits;
};

TESSERA_DEVICE float widen(bf16 x) { return __uint_as_float(static_cast<u32>(x.bits) << 16); }
TESSERA_DEVICE float widen(f16 x) {
  const int exponent = x.bits >> 10 & 31, digits = x.bits & 1023;
  const float size = exponent == 31 ? (digits ? NAN : INFINITY)
                     : exponent == 0 ? std::ldexp(static_cast<float>(digits), -24)
                                     : std::ldexp(static_cast<float>(1024 + digits), exponent - 25);
  return x.bits >> 15 ? -size : size;
}

TESSERA_DEVICE float round_to_odd(double x) {
  const float y = __double2float_rz(x);
  return static_cast<double>(y) == x || x != x ? y : __uint_as_float(__float_as_uint(y) | 1);
}

template <> inline bf16 narrow<bf16>(float x) {
  const u32 bits = __float_as_uint(x);
  if (x != x) return {0x7fff};
  return {static_cast<u16>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}
template <> inline f16 narrow<f16>(float x) {
  const u16 sign = static_cast<u16>(__float_as_uint(x) >> 16 & 0x8000);
  const float size = std::fabs(x);
  if (x != x) return {0x7fff};
  if (size >= 65520) return {static_cast<u16>(sign | 0x7c00)};
  int exponent = 0;
  std::frexp(size, &exponent);
  exponent = size == 0 || exponent < -13 ? -13 : exponent;
  const auto steps = static_cast<u32>(std::nearbyint(std::ldexp(size, 11 - exponent)));  // in units of the last place
  // 2048 steps carry into the next exponent by themselves.
  return {static_cast<u16>(sign | (steps + (static_cast<u32>(exponent + 13) << 10)))};
}
template <class To> To narrow(double x) { return narrow<To>(round_to_odd(x)); }

TESSERA_DEVICE float larger(float x, float y) { return x > y || x != x ? x : y; }
TESSERA_DEVICE float smaller(float x, float y) { return x < y || x != x ? x : y; }

}  // namespace tessera
