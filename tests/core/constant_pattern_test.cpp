// Data that a formula says: every band is found and said exactly, and nothing else is taken for one.

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include <tessera/core/compile.h>
#include <tessera/core/constant_pattern.h>
#include <tessera/core/error.h>
#include <tessera/core/program.h>

#include "tests/support/host_data.h"

namespace tessera::testing {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

std::vector<double> band(int64_t rows, int64_t columns, int64_t low, int64_t high, double in, double out) {
  std::vector<double> values;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) values.push_back(j - i >= low && j - i <= high ? in : out);
  return values;
}

TEST(ConstantPattern, every_band_is_said_exactly) {
  Draw draw(3);
  for (int k = 0; k < 300; ++k) {
    const int64_t rows = 16 + draw.below(20), columns = 16 + draw.below(20);
    int64_t low = -rows + draw.below(rows + columns), high = low + draw.below(columns);
    if (k % 3 == 0) low = -rows;
    if (k % 3 == 1) high = columns;
    const bool whole = low <= 1 - rows && high >= columns - 1, none = high < 1 - rows || low > columns - 1;
    const DType dtype = k % 2 ? f32 : boolean;
    const double in = k % 4 < 2 ? 1 : 0, out = k % 2 && k % 8 > 4 ? -infinity : 1 - in;
    const Shape shape = k % 5 ? Shape{rows, columns} : Shape{1, rows, 1, columns};
    const std::vector<double> values = band(rows, columns, low, high, in, out);
    Tensor data = from_doubles(values, dtype, shape);
    const std::optional<Tensor> formula = formula_of(*data.node());
    ASSERT_EQ(formula.has_value(), !whole && !none) << low << " " << high << " of " << rows << " x " << columns;
    if (!formula) continue;
    EXPECT_EQ(formula->dtype(), dtype);
    EXPECT_EQ(cast(*formula, f64).to_vector<double>(), values);
  }
}

TEST(ConstantPattern, one_other_element_makes_it_data) {
  Draw draw(4);
  for (int k = 0; k < 200; ++k) {
    std::vector<double> values = band(20, 24, -20, 3, 0, -infinity);
    const int64_t place = draw.below(20 * 24);
    double& changed = values[static_cast<size_t>(place)];
    changed = k % 2 ? 0.5 : changed == 0 ? -infinity : 0;
    const auto formula = formula_of(*from_doubles(values, f32, {20, 24}).node());
    const bool is_diagonal = place == 19 * 24 || place == 23;  // a corner of the matrix is a whole one
    EXPECT_FALSE(formula && !is_diagonal) << place;
    if (formula) {
      EXPECT_EQ(cast(*formula, f64).to_vector<double>(), values);
    }
  }
  EXPECT_FALSE(formula_of(*random_tensor(draw, f32, {20, 24}).node()));
  EXPECT_FALSE(formula_of(*random_tensor(draw, boolean, {20, 24}).node()));
  EXPECT_FALSE(formula_of(*from_doubles(band(20, 24, -3, 3, 1, 0), f32, {2, 10, 24}).node()));
  EXPECT_FALSE(formula_of(*from_doubles(band(8, 8, -3, 3, 1, 0), f32, {8, 8}).node()));  // too small to gain
}

TEST(ConstantPattern, repeated_indices_are_said_exactly) {
  for (const int64_t rows : {2, 3, 8})
    for (const int64_t repeats : {2, 4, 5})
      for (const DType dtype : {i32, i64}) {
        std::vector<double> values;
        for (int64_t i = 0; i < rows * repeats; ++i) values.push_back(static_cast<double>(i / repeats));
        const Shape shape{rows * repeats};
        const auto formula = formula_of(*from_doubles(values, dtype, shape).node());
        ASSERT_TRUE(formula) << rows << " x " << repeats;
        EXPECT_EQ(formula->dtype(), dtype);
        EXPECT_EQ(cast(*formula, f64).to_vector<double>(), values);
        for (size_t place = 0; place < values.size(); ++place)
          for (const double step : {-1.0, 1.0}) {
            std::vector<double> other = values;
            other[place] += step;
            const auto wrong = formula_of(*from_doubles(other, dtype, shape).node());
            EXPECT_FALSE(wrong && cast(*wrong, f64).to_vector<double>() != other) << place;
            EXPECT_FALSE(wrong && place > 0 && place + 1 < values.size()) << place;
          }
      }
  EXPECT_FALSE(formula_of(*from_doubles({0, 0, 0, 0}, i32, {4}).node()));
  EXPECT_FALSE(formula_of(*from_doubles({0, 0, 0, 1, 1}, i32, {5}).node()));
  EXPECT_FALSE(formula_of(*from_doubles({0, 0, 1, 1}, f32, {4}).node()));
}

TEST(ConstantPattern, programs_do_not_read_what_they_can_compute) {
  const Tensor tril = from_doubles(band(32, 32, -32, 0, 1, 0), boolean, {32, 32});
  auto masked = compile([&](Tensor x) { return where(tril, x, 0); });
  const Tensor x = from_doubles(band(32, 32, -32, 32, 2, 0), f32, {32, 32});
  for (int call = 0; call < 3; ++call) EXPECT_EQ(masked(x).to_vector<float>()[1], 0);
  EXPECT_EQ(masked.program()->inputs.size(), 1U);
  EXPECT_EQ(masked(x).to_vector<float>()[32], 2);
}

TEST(ConstantPattern, other_data_on_the_second_call_is_an_error) {
  int64_t high = 0;
  auto masked = compile([&](Tensor x) {
    const Tensor mask = from_doubles(band(32, 32, -32, high++, 1, 0), boolean, {32, 32});
    return where(mask, x, 0);
  });
  const Tensor x = from_doubles(band(32, 32, -32, 32, 2, 0), f32, {32, 32});
  masked(x);
  EXPECT_THROW(masked(x), TraceError);
}

}  // namespace
}  // namespace tessera::testing
