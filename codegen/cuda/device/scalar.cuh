#pragma once
// Single values of row kernels: storage types, conversions, and arithmetic that means the same on every device:
// integers wrap, a division by zero gives 0, NaN wins a maximum, float to integer saturates.

#include "convert.cuh"
#include "core.cuh"

namespace tessera {

using i8 = signed char;
using i16 = short;
using i64 = long long;
using u8 = unsigned char;
static_assert(sizeof(i64) == 8, "as in tensors");

constexpr float not_a_number = __builtin_bit_cast(float, 0x7fc00000);

// ---- integers by size ----

template <class T> struct UnsignedOf { using type = T; };
template <> struct UnsignedOf<bool> { using type = bool; };
template <> struct UnsignedOf<i8> { using type = u8; };
template <> struct UnsignedOf<i16> { using type = u16; };
template <> struct UnsignedOf<int> { using type = u32; };
template <> struct UnsignedOf<i64> { using type = u64; };
template <class T> TESSERA_DEVICE typename UnsignedOf<T>::type as_unsigned(T x) {
  return static_cast<typename UnsignedOf<T>::type>(x);
}

template <class T> TESSERA_DEVICE T wrapping_add(T x, T y) { return static_cast<T>(as_unsigned(x) + as_unsigned(y)); }
template <class T> TESSERA_DEVICE T wrapping_sub(T x, T y) { return static_cast<T>(as_unsigned(x) - as_unsigned(y)); }
// Through 64 bits: two u16 would multiply as int.
template <class T> TESSERA_DEVICE T wrapping_mul(T x, T y) {
  return static_cast<T>(static_cast<u64>(x) * static_cast<u64>(y));
}

template <class T> TESSERA_DEVICE T divide(T x, T y) {
  if (y == 0) return 0;
  return y == T(-1) && T(-1) < T(0) ? wrapping_sub(T(0), x) : static_cast<T>(x / y);
}
template <class T> TESSERA_DEVICE T remainder(T x, T y) {
  return y == 0 || (y == T(-1) && T(-1) < T(0)) ? T(0) : static_cast<T>(x % y);
}
template <class T> TESSERA_DEVICE T floor_divide(T x, T y) {
  const T whole = divide(x, y);
  return y != 0 && remainder(x, y) != 0 && (x < 0) != (y < 0) ? static_cast<T>(whole - 1) : whole;
}
TESSERA_DEVICE i64 floor_remainder(i64 x, i64 y) { return x - floor_divide(x, y) * y; }

// Truncates; out of range is the nearest there is, NaN 0.
template <class T> TESSERA_DEVICE T to_integer(double x) {
  constexpr bool is_signed = T(-1) < T(0);
  constexpr T highest = is_signed ? static_cast<T>((u64(1) << (8 * sizeof(T) - 1)) - 1) : static_cast<T>(~u64(0));
  constexpr T lowest = is_signed ? static_cast<T>(u64(1) << (8 * sizeof(T) - 1)) : T(0);
  if (x != x) return 0;
  if (x <= static_cast<double>(lowest)) return lowest;
  return x >= static_cast<double>(highest) ? highest : static_cast<T>(x);
}

// 1 / (1 + e^−x) within 3 ulp and |x| · 2^-24, without a branch; 0 where that is no normal number.
TESSERA_DEVICE float sigmoid(float x) { return reciprocal(1.f + exp2(-log2_e * x)); }

// A place in a row that is compared with places of 32 bits; what no row has is −1.
TESSERA_DEVICE int as_place(i64 x) { return x >= 0 && x <= 0x7fffffff ? static_cast<int>(x) : -1; }

// ---- NaN wins ----

template <class T> TESSERA_DEVICE T maximum(T x, T y) { return x > y || x != x ? x : y; }
template <class T> TESSERA_DEVICE T minimum(T x, T y) { return x < y || x != x ? x : y; }
template <> TESSERA_DEVICE float maximum(float x, float y) { return larger(x, y); }
template <> TESSERA_DEVICE float minimum(float x, float y) { return smaller(x, y); }

// 1 − s for s = sigmoid(x), as exact as s: the subtraction would leave few digits of it where s is nearly 1. 0 where s is 0.
TESSERA_DEVICE float rest_of_sigmoid(float x, float s) { return s * minimum(exp2(-log2_e * x), 0x1p126f); }

// ---- indices of gathers ----

// The index, or the nearest there is; what was asked for outside is noted: the largest, then the smallest.
TESSERA_DEVICE i64 clamped(i64 index, i64 extent) { return index < 0 ? 0 : index >= extent ? extent - 1 : index; }
TESSERA_DEVICE i64 checked(i64 index, i64 extent, i64* outside) {
  if (index < 0 || index >= extent) {
    atomicMax(outside, index);
    atomicMin(outside + 1, index);
  }
  return clamped(index, extent);
}

}  // namespace tessera
