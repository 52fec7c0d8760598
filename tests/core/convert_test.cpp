// Every code of every small float, and every midpoint between two of them.
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include <tessera/core/convert.h>

namespace tessera {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

struct Format {
  DType dtype;
  int exponent_bits, mantissa_bits;
  uint32_t largest;  // code of the largest finite value
  bool has_infinity;

  uint32_t sign() const { return 1u << (exponent_bits + mantissa_bits); }
  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  // The value of a code by the definition of a binary float.
  double value(uint32_t code) const {
    const double factor = (code & sign()) != 0 ? -1 : 1;
    const uint32_t magnitude = code & (sign() - 1);
    if (magnitude == largest + 1 && has_infinity) return factor * inf;
    if (magnitude > largest) return nan;
    const int exponent = static_cast<int>(magnitude >> mantissa_bits);
    const double mantissa = magnitude & ((1u << mantissa_bits) - 1);
    const double one = 1 << mantissa_bits;
    if (exponent == 0) return factor * std::ldexp(mantissa / one, 1 - bias());
    return factor * std::ldexp(1 + mantissa / one, exponent - bias());
  }
};

constexpr Format formats[] = {
    {f16, 5, 10, 0x7bff, true},
    {bf16, 8, 7, 0x7f7f, true},
    {f8e4m3, 4, 3, 0x7e, false},
    {f8e5m2, 5, 2, 0x7b, true},
};

double decode(DType dtype, uint32_t code) {
  const uint16_t wide = static_cast<uint16_t>(code);
  const uint8_t narrow = static_cast<uint8_t>(code);
  return size_of(dtype) == 2 ? load_double(&wide, dtype, 0) : load_double(&narrow, dtype, 0);
}
uint32_t encode(DType dtype, double value) {
  uint16_t wide = 0;
  uint8_t narrow = 0;
  if (size_of(dtype) == 2) store_double(&wide, dtype, 0, value);
  else store_double(&narrow, dtype, 0, value);
  return size_of(dtype) == 2 ? wide : narrow;
}

class SmallFloat : public ::testing::TestWithParam<Format> {};
INSTANTIATE_TEST_SUITE_P(All, SmallFloat, ::testing::ValuesIn(formats),
                         [](const auto& chosen) { return std::string(name(chosen.param.dtype)); });

TEST_P(SmallFloat, EveryCodeHasItsValueAndComesBack) {
  const Format& format = GetParam();
  for (uint32_t code = 0; code < 2 * format.sign(); ++code) {
    const double wanted = format.value(code), got = decode(format.dtype, code);
    if (std::isnan(wanted)) {
      EXPECT_TRUE(std::isnan(got)) << code;
      EXPECT_TRUE(std::isnan(decode(format.dtype, encode(format.dtype, got)))) << code;
    } else {
      ASSERT_EQ(got, wanted) << code;
      ASSERT_EQ(std::signbit(got), std::signbit(wanted)) << code;
      // FN: what would be infinite is not, so its code is a NaN above.
      ASSERT_EQ(encode(format.dtype, got), code) << got;
    }
  }
}

TEST_P(SmallFloat, MidpointsGoToTheEvenNeighbour) {
  const Format& format = GetParam();
  for (uint32_t code = 0; code < format.largest; ++code) {
    const double low = format.value(code), high = format.value(code + 1), middle = (low + high) / 2;
    const uint32_t even = (code & 1) == 0 ? code : code + 1;
    ASSERT_EQ(encode(format.dtype, middle), even) << middle;
    ASSERT_EQ(encode(format.dtype, -middle), even | format.sign()) << middle;
    // One double beside the middle decides: nothing was rounded to float on the way.
    ASSERT_EQ(encode(format.dtype, std::nextafter(middle, inf)), code + 1) << middle;
    ASSERT_EQ(encode(format.dtype, std::nextafter(middle, -inf)), code) << middle;
  }
}

TEST_P(SmallFloat, BeyondTheLargest) {
  const Format& format = GetParam();
  const double largest = format.value(format.largest);
  const double step = largest - format.value(format.largest - 1);
  const uint32_t beyond = format.has_infinity ? format.largest + 1 : format.largest;
  EXPECT_EQ(encode(format.dtype, std::nextafter(largest + step / 2, 0)), format.largest);
  EXPECT_EQ(encode(format.dtype, largest + step / 2), beyond);
  EXPECT_EQ(encode(format.dtype, 1e300), beyond);
  EXPECT_EQ(encode(format.dtype, inf), beyond);
  EXPECT_EQ(encode(format.dtype, -inf), beyond | format.sign());
  EXPECT_TRUE(std::isnan(decode(format.dtype, encode(format.dtype, nan))));
}

TEST_P(SmallFloat, BelowTheSmallest) {
  const Format& format = GetParam();
  EXPECT_EQ(encode(format.dtype, 0.0), 0u);
  EXPECT_EQ(encode(format.dtype, -0.0), format.sign());
  EXPECT_EQ(encode(format.dtype, std::numeric_limits<double>::denorm_min()), 0u);
  EXPECT_EQ(encode(format.dtype, -1e-300), format.sign());
}

TEST(Convert, NamedFunctionsAgreeWithTheTables) {
  EXPECT_EQ(float_to_f16(1.0f), 0x3c00);
  EXPECT_EQ(f16_to_float(0x0001), 0x1p-24f);
  EXPECT_EQ(float_to_f16(65520.0f), 0x7c00);
  EXPECT_EQ(float_to_bf16(1.0f), 0x3f80);
  EXPECT_EQ(float_to_bf16(1.00390625f), 0x3f80);  // tie: 1 + 2⁻⁸
  EXPECT_EQ(bf16_to_float(0xc040), -3.0f);
  EXPECT_EQ(float_to_f8e4m3(449.0f), 0x7e);
  EXPECT_EQ(float_to_f8e4m3(-1e9f), 0xfe);
  EXPECT_EQ(f8e4m3_to_float(0x7e), 448.0f);
  EXPECT_EQ(float_to_f8e4m3(std::numeric_limits<float>::quiet_NaN()), 0x7f);
  EXPECT_EQ(float_to_f8e5m2(61440.0f), 0x7c);
  EXPECT_EQ(f8e5m2_to_float(0x7b), 57344.0f);
}

template <class T> T to(DType dtype, double value) {
  T out{};
  store_double(&out, dtype, 0, value);
  return out;
}

TEST(Convert, FloatToIntegerTruncatesAndSaturates) {
  EXPECT_EQ(to<int8_t>(i8, 1.9), 1);
  EXPECT_EQ(to<int8_t>(i8, -1.9), -1);
  EXPECT_EQ(to<int8_t>(i8, 300), 127);
  EXPECT_EQ(to<int8_t>(i8, -300), -128);
  EXPECT_EQ(to<uint8_t>(u8, -0.5), 0);
  EXPECT_EQ(to<uint8_t>(u8, -7), 0);
  EXPECT_EQ(to<uint8_t>(u8, 1000), 255);
  EXPECT_EQ(to<uint32_t>(u32, 4294967295.0), 4294967295u);
  EXPECT_EQ(to<int64_t>(i64, inf), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(to<int64_t>(i64, 0x1p63), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(to<int64_t>(i64, -inf), std::numeric_limits<int64_t>::min());
  for (const DType dtype : {i64, i32, i16, i8, u32, u8}) EXPECT_EQ(to<int64_t>(dtype, nan), 0) << dtype;
}

TEST(Convert, IntegerToIntegerWraps) {
  int8_t byte = 0;
  store_int(&byte, i8, 0, 200);
  EXPECT_EQ(byte, -56);
  uint32_t word = 0;
  store_int(&word, u32, 0, -1);
  EXPECT_EQ(word, 4294967295u);
  EXPECT_EQ(load_int(&word, u32, 0), 4294967295);
}

TEST(Convert, BoolIsNotZero) {
  EXPECT_EQ(to<uint8_t>(boolean, 0.25), 1);
  EXPECT_EQ(to<uint8_t>(boolean, -0.0), 0);
  EXPECT_EQ(to<uint8_t>(boolean, nan), 1);
  uint8_t flag = 0;
  store_int(&flag, boolean, 0, 256);
  EXPECT_EQ(flag, 1);
  EXPECT_EQ(load_double(&flag, boolean, 0), 1.0);
}

TEST(Convert, IntegersRoundOnce) {
  // Just above a tie of bf16; as a double it would be the tie, and fall to the even side.
  const int64_t above_tie = (int64_t{0x101} << 54) + 1;
  uint16_t code = 0;
  store_int(&code, bf16, 0, above_tie);
  EXPECT_EQ(bf16_to_float(code), 0x1.02p62f);
  store_int(&code, bf16, 0, -above_tie);
  EXPECT_EQ(bf16_to_float(code), -0x1.02p62f);
  store_int(&code, bf16, 0, above_tie - 1);
  EXPECT_EQ(bf16_to_float(code), 0x1p62f);

  const int64_t above_float_tie = (int64_t{0x1000001} << 38) + 1;
  float single = 0;
  convert(&above_float_tie, i64, &single, f32, 1);
  EXPECT_EQ(single, 0x1.000002p62f);
  store_int(&code, bf16, 0, std::numeric_limits<int64_t>::min());
  EXPECT_EQ(bf16_to_float(code), -0x1p63f);
}

TEST(Convert, ManyElementsAcrossAllPairs) {
  // 0 … 5 is exact everywhere (bool aside), so any chain of conversions keeps it.
  const std::vector<double> values = {0, 1, 2, 3, 4, 5};
  for (const DType from : all_dtypes)
    for (const DType to_type : all_dtypes) {
      const bool logical = from == boolean || to_type == boolean;
      std::vector<char> a(values.size() * size_of(from)), b(values.size() * size_of(to_type));
      const int64_t count = static_cast<int64_t>(values.size());
      std::vector<double> out(values.size());
      convert(values.data(), f64, a.data(), from, count);
      convert(a.data(), from, b.data(), to_type, count);
      convert(b.data(), to_type, out.data(), f64, count);
      for (size_t i = 0; i < values.size(); ++i)
        EXPECT_EQ(out[i], logical ? (values[i] != 0) : values[i]) << from << " to " << to_type;
    }
}

TEST(Convert, NothingToConvert) { convert(nullptr, f32, nullptr, i8, 0); }

}  // namespace
}  // namespace tessera
