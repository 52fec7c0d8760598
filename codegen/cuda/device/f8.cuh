#pragma once
// f8e4m3 and f8e5m2 to f32 and back in integers, so that every device and the processor round alike: to nearest even, and
// f8e4m3 saturates where f8e5m2 overflows to infinity. convert.cuh includes this.

#include "core.cuh"

namespace tessera {

struct f8e4m3 {
  unsigned char bits;
};
struct f8e5m2 {
  unsigned char bits;
};

// Codes of positive values are ordered as the values are, so a carry out of the digits is the next exponent.
template <class F> struct Format8;
template <> struct Format8<f8e4m3> {
  static constexpr int digits = 3, bias = 7;
  static constexpr u32 largest = 0x7e, overflow = 0x7e, nan = 0x7f;
};
template <> struct Format8<f8e5m2> {
  static constexpr int digits = 2, bias = 15;
  static constexpr u32 largest = 0x7b, overflow = 0x7c, nan = 0x7e;
};

template <class F> TESSERA_DEVICE float widen_f8(F x) {
  using Format = Format8<F>;
  const u32 sign = static_cast<u32>(x.bits >> 7) << 31, size = x.bits & 127;
  const float smallest_step = __uint_as_float(static_cast<u32>(128 - Format::bias - Format::digits) << 23);
  u32 bits = (size << (23 - Format::digits)) + (static_cast<u32>(127 - Format::bias) << 23);
  if (size >> Format::digits == 0) bits = __float_as_uint(static_cast<float>(size) * smallest_step);
  if (size > Format::largest) bits = size == Format::overflow ? 0x7f800000 : 0x7fc00000;
  return __uint_as_float(sign | bits);
}
TESSERA_DEVICE float widen(f8e4m3 x) { return widen_f8(x); }
TESSERA_DEVICE float widen(f8e5m2 x) { return widen_f8(x); }

template <class F> TESSERA_DEVICE F narrow_f8(float x) {
  using Format = Format8<F>;
  const u32 bits = __float_as_uint(x), size = bits & 0x7fffffff;
  const int exponent = static_cast<int>(size >> 23) - 127 + Format::bias;
  const int shift = 23 - Format::digits + (exponent < 1 ? 1 - exponent : 0);
  u32 code = 0;
  if (shift <= 24) {  // else less than half the smallest step
    const u32 exact = (size & 0x7fffff) | 0x800000, half = 1u << (shift - 1), rest = exact & (2 * half - 1);
    code = exact >> shift;
    if (rest > half || (rest == half && (code & 1))) ++code;
    // A normal value's leading one is worth one exponent.
    if (exponent >= 1) code += static_cast<u32>(exponent - 1) << Format::digits;
  }
  if (code > Format::largest || size == 0x7f800000) code = Format::overflow;
  if (size > 0x7f800000) code = Format::nan;
  return {static_cast<unsigned char>(bits >> 31 << 7 | code)};
}

template <class To> TESSERA_DEVICE To narrow(float x);
template <> TESSERA_DEVICE f8e4m3 narrow<f8e4m3>(float x) { return narrow_f8<f8e4m3>(x); }
template <> TESSERA_DEVICE f8e5m2 narrow<f8e5m2>(float x) { return narrow_f8<f8e5m2>(x); }

}  // namespace tessera
