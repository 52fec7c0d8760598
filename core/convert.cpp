#include <tessera/core/convert.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include <tessera/core/error.h>

namespace tessera {
namespace {

// ---- floats that C++ has no type for ----
// A format is its widths and three codes: the largest finite value, what lies beyond it, and NaN. Codes of positive
// values are ordered as the values are, so that a carry out of the mantissa is the next exponent.

struct F16 {
  using Storage = uint16_t;
  static constexpr int exponent_bits = 5, mantissa_bits = 10;
  static constexpr uint32_t largest = 0x7bff, overflow = 0x7c00, nan = 0x7e00;
};
struct BF16 {
  using Storage = uint16_t;
  static constexpr int exponent_bits = 8, mantissa_bits = 7;
  static constexpr uint32_t largest = 0x7f7f, overflow = 0x7f80, nan = 0x7fc0;
};
struct F8E4M3 {
  using Storage = uint8_t;
  static constexpr int exponent_bits = 4, mantissa_bits = 3;
  static constexpr uint32_t largest = 0x7e, overflow = largest, nan = 0x7f;
};
struct F8E5M2 {
  using Storage = uint8_t;
  static constexpr int exponent_bits = 5, mantissa_bits = 2;
  static constexpr uint32_t largest = 0x7b, overflow = 0x7c, nan = 0x7e;
};

template <class Format> constexpr int bias = (1 << (Format::exponent_bits - 1)) - 1;
template <class Format> constexpr int sign_shift = Format::exponent_bits + Format::mantissa_bits;

template <class Format> float decode(typename Format::Storage code) {
  constexpr int mantissa_bits = Format::mantissa_bits;
  const uint32_t sign = static_cast<uint32_t>(code >> sign_shift<Format>) << 31;
  const uint32_t magnitude = code & ((1u << sign_shift<Format>)-1);
  const uint32_t exponent = magnitude >> mantissa_bits;
  uint32_t bits = 0;
  if (magnitude > Format::largest) {
    bits = magnitude == Format::overflow ? 0x7f800000 : 0x7fc00000;
  } else if (exponent != 0 || bias<Format> == 127) {
    // Same exponents but for the bias; bf16, the upper half of a float, shares even the subnormals.
    bits = (magnitude << (23 - mantissa_bits)) + (static_cast<uint32_t>(127 - bias<Format>) << 23);
  } else {
    // Subnormal: so many times the smallest step.
    const float step = std::bit_cast<float>(static_cast<uint32_t>(128 - bias<Format> - mantissa_bits) << 23);
    bits = std::bit_cast<uint32_t>(static_cast<float>(magnitude) * step);
  }
  return std::bit_cast<float>(sign | bits);
}

// Rounds to nearest, ties to even. Every float and every double passes through here exactly once.
template <class Format> typename Format::Storage encode(double x) {
  constexpr int mantissa_bits = Format::mantissa_bits;
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  const uint64_t sign = (bits >> 63) << sign_shift<Format>;
  const auto with_sign = [&](uint64_t code) { return static_cast<typename Format::Storage>(sign | code); };
  if (x != x) return with_sign(Format::nan);
  if (std::isinf(x)) return with_sign(Format::overflow);

  const int exponent = static_cast<int>(bits >> 52 & 0x7ff) - 1023 + bias<Format>;
  const int below = exponent < 1 ? 1 - exponent : 0;  // how far under the smallest normal value
  const int shift = 52 - mantissa_bits + below;
  if (shift > 53) return with_sign(0);  // less than half the smallest step; zero and subnormal doubles too
  const uint64_t significand = (bits & ((uint64_t{1} << 52) - 1)) | uint64_t{1} << 52;
  uint64_t kept = significand >> shift;
  const uint64_t rest = significand & ((uint64_t{1} << shift) - 1), half = uint64_t{1} << (shift - 1);
  if (rest > half || (rest == half && (kept & 1) != 0)) ++kept;
  // `kept` holds the leading one of a normal value, which is worth one exponent.
  const uint64_t code = kept + (exponent < 1 ? 0 : static_cast<uint64_t>(exponent - 1) << mantissa_bits);
  return with_sign(code > Format::largest ? Format::overflow : code);
}

// ---- one element of each dtype: its exact value, and the two ways to store one ----

// The nearest double, except that an inexact one ends in an odd bit: rounding it again cannot go wrong.
double round_to_odd(int64_t x) {
  uint64_t magnitude = x < 0 ? -static_cast<uint64_t>(x) : static_cast<uint64_t>(x);
  constexpr uint64_t low = 0x7ff;  // 64 bits are 11 more than a double holds
  if (magnitude >> 53 != 0 && (magnitude & low) != 0) magnitude = (magnitude & ~low) | (low + 1);
  return x < 0 ? -static_cast<double>(magnitude) : static_cast<double>(magnitude);
}

template <class T> struct NativeFloat {
  using Storage = T;
  static double load(T x) { return x; }
  static T store(double x) { return static_cast<T>(x); }
  static T store(int64_t x) { return static_cast<T>(x); }
};

template <class Format> struct SmallFloat {
  using Storage = typename Format::Storage;
  static double load(Storage x) { return decode<Format>(x); }
  static Storage store(double x) { return encode<Format>(x); }
  static Storage store(int64_t x) { return encode<Format>(round_to_odd(x)); }
};

template <class T> struct Integer {
  using Storage = T;
  static int64_t load(T x) { return x; }
  static T store(int64_t x) { return static_cast<T>(x); }  // wraps
  static T store(double x) {
    constexpr T low = std::numeric_limits<T>::min(), high = std::numeric_limits<T>::max();
    if (x != x) return 0;
    if (x <= static_cast<double>(low)) return low;
    if (x >= static_cast<double>(high)) return high;
    return static_cast<T>(x);
  }
};

struct Boolean {
  using Storage = uint8_t;
  static int64_t load(uint8_t x) { return x != 0; }
  static uint8_t store(int64_t x) { return x != 0; }
  static uint8_t store(double x) { return x != 0; }
};

template <class F> auto with_element(DType dtype, F f) {
  switch (dtype) {
    case DType::f64: return f(NativeFloat<double>{});
    case DType::f32: return f(NativeFloat<float>{});
    case DType::f16: return f(SmallFloat<F16>{});
    case DType::bf16: return f(SmallFloat<BF16>{});
    case DType::f8e4m3: return f(SmallFloat<F8E4M3>{});
    case DType::f8e5m2: return f(SmallFloat<F8E5M2>{});
    case DType::i64: return f(Integer<int64_t>{});
    case DType::i32: return f(Integer<int32_t>{});
    case DType::i16: return f(Integer<int16_t>{});
    case DType::i8: return f(Integer<int8_t>{});
    case DType::u32: return f(Integer<uint32_t>{});
    case DType::u8: return f(Integer<uint8_t>{});
    case DType::boolean: return f(Boolean{});
  }
  throw InternalError("no such dtype");
}

template <class Element> auto load(const void* base, int64_t index) {
  return Element::load(static_cast<const typename Element::Storage*>(base)[index]);
}
template <class Element, class T> void store(void* base, int64_t index, T value) {
  static_cast<typename Element::Storage*>(base)[index] = Element::store(value);
}

}  // namespace

float f16_to_float(uint16_t code) { return decode<F16>(code); }
uint16_t float_to_f16(float x) { return encode<F16>(x); }
float bf16_to_float(uint16_t code) { return decode<BF16>(code); }
uint16_t float_to_bf16(float x) { return encode<BF16>(x); }
float f8e4m3_to_float(uint8_t code) { return decode<F8E4M3>(code); }
uint8_t float_to_f8e4m3(float x) { return encode<F8E4M3>(x); }
float f8e5m2_to_float(uint8_t code) { return decode<F8E5M2>(code); }
uint8_t float_to_f8e5m2(float x) { return encode<F8E5M2>(x); }

double load_double(const void* base, DType dtype, int64_t index) {
  return with_element(dtype, [&]<class E>(E) { return static_cast<double>(load<E>(base, index)); });
}
int64_t load_int(const void* base, DType dtype, int64_t index) {
  return with_element(dtype, [&]<class E>(E) { return Integer<int64_t>::store(load<E>(base, index)); });
}
void store_double(void* base, DType dtype, int64_t index, double value) {
  with_element(dtype, [&]<class E>(E) { store<E>(base, index, value); });
}
void store_int(void* base, DType dtype, int64_t index, int64_t value) {
  with_element(dtype, [&]<class E>(E) { store<E>(base, index, value); });
}

void convert(const void* from, DType from_type, void* to, DType to_type, int64_t count) {
  if (count == 0) return;
  if (from_type == to_type) {
    std::memcpy(to, from, static_cast<size_t>(count) * size_of(to_type));
    return;
  }
  with_element(from_type, [&]<class From>(From) {
    with_element(to_type, [&]<class To>(To) {
      for (int64_t i = 0; i < count; ++i) store<To>(to, i, load<From>(from, i));
    });
  });
}

}  // namespace tessera
