// Sums of products in few operations, as statements of an epilogue say them.

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
