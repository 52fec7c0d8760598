// Sums of products in few operations, as statements of an epilogue say them.

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <random>
#include <stdexcept>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <tessera/codegen/cuda/contract/sums_of_products.h>

namespace tessera::cuda {
namespace {

constexpr int y = 0, x = 1, h = 2;

std::string text(const std::vector<Product>& sum) {
  return factored_text(sum, [](int value) { return std::string(1, "yxh"[value]); });
}

TEST(SumsOfProducts, share_what_several_have) {
  EXPECT_EQ(text({{1, {y}}, {2, {y, x}}, {3, {y, x, x, x}}}), "y * ::fmaf(x, ::fmaf(3.f, x * x, 2.f), 1.f)");
  EXPECT_EQ(text({{1, {y, h}}, {0.5, {x, h}}, {-1, {x}}}), "::fmaf(x, ::fmaf(0.5f, h, -1.f), y * h)");
  EXPECT_EQ(text({{2, {x, x}}, {1, {x}}}), "x * ::fmaf(2.f, x, 1.f)");
  EXPECT_EQ(text({{1, {x}}, {1e-20, {x, h}}, {1, {y}}}), "::fmaf(x, ::fmaf(1e-20f, h, 1.f), y)");
}

TEST(SumsOfProducts, without_anything_shared) {
  EXPECT_EQ(text({{1, {y}}, {-2, {x}}}), "::fmaf(-2.f, x, y)");
  EXPECT_EQ(text({{1, {y, x}}, {3, {}}}), "::fmaf(y, x, 3.f)");
  EXPECT_EQ(text({{1, {y}}, {1, {x}}, {1, {h}}}), "(y + (x + h))");
  EXPECT_EQ(text({{-1, {y}}}), "-1.f * y");
}

TEST(SumsOfProducts, with_a_number_before_single_values) {
  EXPECT_EQ(text({{1, {}}, {1, {y}}}), "(1.f + y)");
  EXPECT_EQ(text({{1, {x}}, {1, {x, y}}}), "x * (1.f + y)");
  EXPECT_EQ(text({{1, {}}, {2, {}}, {1, {y}}}), "(1.f + (2.f + y))");
}

// What a text comes to, by the grammar of factored_text: products of names, numbers, fmaf(…) and sums in parentheses.
class Evaluated {
 public:
  Evaluated(const std::string& text, const std::vector<double>& values) : at_(text.c_str()), values_(values) {
    result = product();
    if (*at_ != 0) throw std::invalid_argument(text);
  }
  double result = 0;

 private:
  double product() {
    double all = factor();
    while (take(" * ")) all *= factor();
    return all;
  }
  double factor() {
    if (take("::fmaf(")) {
      const double a = product();
      const double b = after(", ");
      const double c = after(", ");
      return after_all(a * b + c);
    }
    if (take("(")) {
      const double a = product();
      return after_all(a + after(" + "));
    }
    if (take("v")) return values_[static_cast<size_t>(std::strtol(at_, end(), 10))];
    const double number = std::strtod(at_, end());
    if (!take("f")) throw std::invalid_argument(at_);
    return number;
  }
  double after(const char* what) {
    if (!take(what)) throw std::invalid_argument(at_);
    return product();
  }
  double after_all(double all) {
    if (!take(")")) throw std::invalid_argument(at_);
    return all;
  }
  bool take(const char* what) {
    const size_t count = std::strlen(what);
    if (std::strncmp(at_, what, count) != 0) return false;
    at_ += count;
    return true;
  }
  char** end() { return const_cast<char**>(&at_); }

  const char* at_;
  const std::vector<double>& values_;
};

TEST(SumsOfProducts, come_to_what_they_say) {
  std::mt19937 draw(7);
  auto below = [&](int n) { return static_cast<int>(draw() % static_cast<unsigned>(n)); };
  const std::vector<double> values{0.75, -1.25, 1.5, 2};
  constexpr double factors[] = {1, 1, -1, 2, 0.5};
  for (int round = 0; round < 2000; ++round) {
    std::vector<Product> sum(static_cast<size_t>(1 + below(6)));
    double expected = 0;
    for (Product& one : sum) {
      one.factor = factors[below(5)];
      for (int count = below(4); count > 0; --count) one.values.push_back(below(4));
      std::ranges::sort(one.values);
      double product = one.factor;
      for (int value : one.values) product *= values[static_cast<size_t>(value)];
      expected += product;
    }
    const std::string said = factored_text(sum, [](int value) { return fmt::format("v{}", value); });
    ASSERT_EQ(Evaluated(said, values).result, expected) << said;  // all of them are exact
  }
}

TEST(SumsOfProducts, join_alike_ones) {
  const auto made = joined({{2, {y, x}}, {1, {y}}, {1, {y, x}}});
  ASSERT_TRUE(made);
  ASSERT_EQ(made->size(), 2);
  EXPECT_EQ((*made)[0].factor, 3);
  EXPECT_EQ((*made)[0].values, (std::vector{y, x}));
  EXPECT_FALSE(joined({{2, {y, x}}, {-1, {y, x}}})) << "a difference is all that would be left";
}

TEST(SumsOfProducts, see_what_is_shared) {
  EXPECT_TRUE(share_values({{1, {y, x}}, {1, {x}}}));
  EXPECT_FALSE(share_values({{1, {y, y}}, {1, {x}}}));
}

}  // namespace
}  // namespace tessera::cuda
