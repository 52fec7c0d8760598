#pragma once
// Element types. A DType is a value; its facts live in one table in dtype.cpp.

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>

namespace tessera {

enum class DType : uint8_t { f64, f32, f16, bf16, f8e4m3, f8e5m2, i64, i32, i16, i8, u32, u8, boolean };

inline constexpr DType f64 = DType::f64, f32 = DType::f32, f16 = DType::f16, bf16 = DType::bf16, f8e4m3 = DType::f8e4m3,
                       f8e5m2 = DType::f8e5m2, i64 = DType::i64, i32 = DType::i32, i16 = DType::i16, i8 = DType::i8,
                       u32 = DType::u32, u8 = DType::u8, boolean = DType::boolean;

inline constexpr DType all_dtypes[] = {f64, f32, f16, bf16, f8e4m3, f8e5m2, i64, i32, i16, i8, u32, u8, boolean};

size_t size_of(DType);                    // bytes of one element
std::string_view name(DType);             // "f32", "i64", "bool", …
DType dtype_from_name(std::string_view);  // throws ValueError on an unknown name
bool is_float(DType);
bool is_integer(DType);  // signed or unsigned; bool is neither float nor integer
bool is_unsigned(DType);
// f8 types are storage only: arithmetic on them throws, `cast` first.
bool is_storage_only(DType);

// The dtype of `a op b`; the full table prints with promotion_table(). Rules: equal stays; bool yields to all;
// an integer with a float gives the float; f16 with bf16 gives f32; two integers give the wider one, and a
// signed one when the signs differ (u32 with i32 gives i64). f8 with anything else throws DTypeError.
DType promote(DType, DType);
std::string promotion_table();

inline std::ostream& operator<<(std::ostream& out, DType t) { return out << std::string(name(t)); }

// C++ type of an element in host memory. f16, bf16 and f8 are read and written as float through convert.h.
template <class T> struct dtype_of;
template <> struct dtype_of<double> {
  static constexpr DType value = f64;
};
template <> struct dtype_of<float> {
  static constexpr DType value = f32;
};
template <> struct dtype_of<int64_t> {
  static constexpr DType value = i64;
};
template <> struct dtype_of<int32_t> {
  static constexpr DType value = i32;
};
template <> struct dtype_of<int16_t> {
  static constexpr DType value = i16;
};
template <> struct dtype_of<int8_t> {
  static constexpr DType value = i8;
};
template <> struct dtype_of<uint32_t> {
  static constexpr DType value = u32;
};
template <> struct dtype_of<uint8_t> {
  static constexpr DType value = u8;
};
template <> struct dtype_of<bool> {
  static constexpr DType value = boolean;
};
template <class T> inline constexpr DType dtype_of_v = dtype_of<T>::value;

}  // namespace tessera
