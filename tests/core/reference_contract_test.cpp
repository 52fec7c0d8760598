// Contraction, window and fold on the reference executor. Convolutions are compared with loops written out here.
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "tests/core/run_one.h"

namespace tessera {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

std::vector<double> contract(const char* einsum, const Host& a, const Host& b, Shape shape,
                             std::vector<WindowRelation> windows = {}) {
  return run_one(Op::Contract, ContractAttrs{einsum, std::move(windows)}, {a, b}, a.type.dtype, std::move(shape));
}

// Small integers, different at every place and exact in every float.
Host data(DType dtype, const Shape& shape, int64_t seed) {
  std::vector<double> values;
  for (int64_t i = 0; i < shape.numel(); ++i) values.push_back(static_cast<double>((i * 7 + seed * 13) % 11 - 5));
  return host(dtype, shape, values);
}

// ---- products ----

TEST(ReferenceContract, MatmulOfAnyLayout) {
  const Host a = host(f32, {2, 3}, {1, 2, 3, 4, 5, 6}), b = host(f32, {3, 2}, {1, 0, 0, 1, 1, 1});
  EXPECT_THAT(contract("mk,kn->mn", a, b, {2, 2}), same({4, 5, 10, 11}));
  EXPECT_THAT(contract("mk,kn->nm", a, b, {2, 2}), same({4, 10, 5, 11}));
  const Host rows = host(f32, {2, 3}, {1, 0, 1, 0, 1, 1});
  EXPECT_THAT(contract("mk,nk->mn", a, rows, {2, 2}), same({4, 5, 10, 11}));
  EXPECT_THAT(contract("km,kn->mn", a, rows, {3, 3}), same({1, 4, 5, 2, 5, 7, 3, 6, 9}));
}

TEST(ReferenceContract, BatchesOuterProductsAndDotProducts) {
  const Host a = host(f64, {2, 1, 2}, {1, 2, 3, 4}), b = host(f64, {2, 2, 1}, {5, 6, 7, 8});
  EXPECT_THAT(contract("bij,bjk->bik", a, b, {2, 1, 1}), same({17, 53}));
  const Host x = host(f64, {2}, {2, 3}), y = host(f64, {2}, {10, 100});
  EXPECT_THAT(contract("i,i->", x, y, {}), same({320}));
  EXPECT_THAT(contract("i,j->ij", x, y, {2, 2}), same({20, 200, 30, 300}));
  EXPECT_THAT(contract("i,j->j", x, y, {2}), same({50, 500}));  // i is summed in one operand alone
  EXPECT_THAT(contract(",->", host(f64, {}, {3}), host(f64, {}, {4}), {}), same({12}));
  EXPECT_THAT(contract(",i->i", host(f64, {}, {3}), x, {2}), same({6, 9}));
}

TEST(ReferenceContract, LettersOfTheResultAloneRepeat) {
  const Host x = host(f64, {2}, {2, 3}), y = host(f64, {2}, {10, 100});
  EXPECT_THAT(contract("i,i->ki", x, y, {3, 2}), same({20, 300, 20, 300, 20, 300}));
}

TEST(ReferenceContract, NothingToSum) {
  EXPECT_THAT(contract("mk,kn->mn", host(f32, {2, 0}, {}), host(f32, {0, 2}, {}), {2, 2}), same({0, 0, 0, 0}));
  EXPECT_THAT(contract("mk,kn->mn", host(f32, {0, 2}, {}), host(f32, {2, 2}, {1, 2, 3, 4}), {0, 2}), same({}));
}

TEST(ReferenceContract, AccumulatesInDoubleAndWrapsIntegers) {
  const Host ones = host(f32, {3}, {1, 1, 1});
  EXPECT_THAT(contract("i,i->", host(f32, {3}, {0x1p30, 1, -0x1p30}), ones, {}), same({1}));
  EXPECT_THAT(contract("i,i->", host(bf16, {2}, {256, 1}), host(bf16, {2}, {1, 1}), {}), same({256}));  // rounded
  EXPECT_THAT(contract("i,i->", host(i8, {2}, {100, 1}), host(i8, {2}, {2, 1}), {}), same({201 - 256}));
  EXPECT_THAT(contract("i,i->", host(u32, {1}, {4294967295.0}), host(u32, {1}, {1}), {}), same({4294967295.0}));
  EXPECT_THAT(contract("i,i->", host(f32, {2}, {nan, 1}), host(f32, {2}, {0, 1}), {}), same({nan}));
}

// ---- convolutions ----

struct Conv {
  const char* what;
  int64_t batch, groups, channels, filters;  // channels and filters of one group
  int64_t height, width, taps_h, taps_w;
  int64_t stride, dilation, pad;

  int64_t out(int64_t extent, int64_t taps) const {
    return (extent + 2 * pad - dilation * (taps - 1) - 1) / stride + 1;
  }
  int64_t out_h() const { return out(height, taps_h); }
  int64_t out_w() const { return out(width, taps_w); }
  Shape image() const { return {batch, groups, channels, height, width}; }
  Shape filter() const { return {groups, filters, channels, taps_h, taps_w}; }
  Shape result() const { return {batch, groups, filters, out_h(), out_w()}; }
  std::vector<WindowRelation> windows() const {
    return {{'h', 'p', 'r', stride, dilation, pad}, {'w', 'q', 's', stride, dilation, pad}};
  }

  // Calls body(place in the image, in the filter, in the result) for every product of the convolution.
  template <class Body> void each(Body body) const {
    for (int64_t n = 0; n < batch; ++n)
      for (int64_t g = 0; g < groups; ++g)
        for (int64_t k = 0; k < filters; ++k)
          for (int64_t c = 0; c < channels; ++c)
            for (int64_t p = 0; p < out_h(); ++p)
              for (int64_t q = 0; q < out_w(); ++q)
                for (int64_t r = 0; r < taps_h; ++r)
                  for (int64_t s = 0; s < taps_w; ++s) {
                    const int64_t h = p * stride + r * dilation - pad, w = q * stride + s * dilation - pad;
                    if (h < 0 || h >= height || w < 0 || w >= width) continue;
                    body(static_cast<size_t>((((n * groups + g) * channels + c) * height + h) * width + w),
                         static_cast<size_t>((((g * filters + k) * channels + c) * taps_h + r) * taps_w + s),
                         static_cast<size_t>((((n * groups + g) * filters + k) * out_h() + p) * out_w() + q));
                  }
  }
};

std::ostream& operator<<(std::ostream& out, const Conv& conv) { return out << conv.what; }

class Convolution : public ::testing::TestWithParam<Conv> {};
INSTANTIATE_TEST_SUITE_P(All, Convolution,
                         ::testing::Values(Conv{"plain", 2, 1, 3, 4, 5, 6, 3, 3, 1, 1, 0},
                                           Conv{"same", 1, 1, 2, 2, 4, 4, 3, 3, 1, 1, 1},
                                           // (7 + 2 − 2) is odd: the last column is never read, and its gradient is 0
                                           Conv{"strided", 2, 1, 2, 3, 7, 8, 3, 2, 2, 1, 1},
                                           Conv{"dilated", 1, 1, 2, 2, 8, 9, 3, 2, 1, 2, 2},
                                           Conv{"strided_dilated", 1, 1, 1, 2, 11, 10, 3, 3, 3, 2, 2},
                                           Conv{"groups", 2, 3, 2, 2, 5, 5, 3, 3, 1, 1, 1},
                                           Conv{"depthwise", 1, 4, 1, 1, 5, 5, 3, 3, 2, 1, 1},
                                           Conv{"pointwise", 2, 1, 3, 2, 4, 4, 1, 1, 1, 1, 0},
                                           Conv{"all_padding", 1, 1, 1, 1, 1, 1, 3, 3, 1, 1, 3}),
                         [](const auto& chosen) { return std::string(chosen.param.what); });

TEST_P(Convolution, Forward) {
  const Conv& conv = GetParam();
  const Host x = data(f32, conv.image(), 1), w = data(f32, conv.filter(), 2);
  const std::vector<double> image = x.values(), filter = w.values();
  std::vector<double> wanted(static_cast<size_t>(conv.result().numel()), 0);
  conv.each([&](size_t i, size_t f, size_t o) { wanted[o] += image[i] * filter[f]; });
  EXPECT_THAT(contract("ngchw,gkcrs->ngkpq", x, w, conv.result(), conv.windows()), same(wanted));
}

TEST_P(Convolution, DataGradient) {
  const Conv& conv = GetParam();
  const Host dy = data(f32, conv.result(), 3), w = data(f32, conv.filter(), 2);
  const std::vector<double> outer = dy.values(), filter = w.values();
  std::vector<double> wanted(static_cast<size_t>(conv.image().numel()), 0);
  conv.each([&](size_t i, size_t f, size_t o) { wanted[i] += outer[o] * filter[f]; });
  EXPECT_THAT(contract("ngkpq,gkcrs->ngchw", dy, w, conv.image(), conv.windows()), same(wanted));
}

TEST_P(Convolution, FilterGradient) {
  const Conv& conv = GetParam();
  const Host x = data(f32, conv.image(), 1), dy = data(f32, conv.result(), 3);
  const std::vector<double> image = x.values(), outer = dy.values();
  std::vector<double> wanted(static_cast<size_t>(conv.filter().numel()), 0);
  conv.each([&](size_t i, size_t f, size_t o) { wanted[f] += image[i] * outer[o]; });
  EXPECT_THAT(contract("ngchw,ngkpq->gkcrs", x, dy, conv.filter(), conv.windows()), same(wanted));
}

TEST(ReferenceContract, ConvolutionOfOneDimInIntegers) {
  const Host x = host(i32, {5}, {1, 2, 3, 4, 5}), w = host(i32, {3}, {1, 10, 100});
  EXPECT_THAT(contract("h,r->p", x, w, {3}, {{'h', 'p', 'r'}}), same({321, 432, 543}));
  EXPECT_THAT(contract("h,r->p", x, w, {5}, {{'h', 'p', 'r', 1, 1, 1}}), same({210, 321, 432, 543, 54}));
  EXPECT_THAT(contract("h,r->p", x, w, {2}, {{'h', 'p', 'r', 2, 2, 1}}), same({420, 42}));
}

TEST(ReferenceContract, AWindowWhoseTapStandsInTheResult) {
  // One operand is 1: what is left is the unfolded image.
  const Host x = host(f32, {4}, {1, 2, 3, 4}), one = host(f32, {}, {1});
  EXPECT_THAT(contract("h,->pr", x, one, {3, 2}, {{'h', 'p', 'r'}}), same({1, 2, 2, 3, 3, 4}));
}

// ---- window and fold ----

TEST(ReferenceWindow, TapsTrailInOrder) {
  const Host x = host(f32, {5}, {1, 2, 3, 4, 5});
  EXPECT_THAT(run_one(Op::Window, WindowAttrs{{0}, {2}, {1}, {1}}, {x}, f32, {4, 2}), same({1, 2, 2, 3, 3, 4, 4, 5}));
  EXPECT_THAT(run_one(Op::Window, WindowAttrs{{0}, {2}, {2}, {2}}, {x}, f32, {2, 2}), same({1, 3, 3, 5}));
  const Host square = host(i8, {3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  EXPECT_THAT(run_one(Op::Window, WindowAttrs{{0, 1}, {2, 2}, {1, 1}, {1, 1}}, {square}, i8, {2, 2, 2, 2}),
              same({1, 2, 4, 5, 2, 3, 5, 6, 4, 5, 7, 8, 5, 6, 8, 9}));
  // dims in another order: the taps follow it
  EXPECT_THAT(run_one(Op::Window, WindowAttrs{{1, 0}, {2, 1}, {1, 2}, {1, 1}}, {square}, i8, {2, 2, 2, 1}),
              same({1, 2, 2, 3, 7, 8, 8, 9}));
}

TEST(ReferenceFold, OverlapsAreAdded) {
  const WindowAttrs attrs{{0}, {2}, {1}, {1}};
  const Host windows = host(f32, {3, 2}, {1, 10, 2, 20, 3, 30});
  EXPECT_THAT(run_one(Op::Fold, attrs, {windows}, f32, {4}), same({1, 12, 23, 30}));
  // Places that no window covers are 0.
  EXPECT_THAT(run_one(Op::Fold, WindowAttrs{{0}, {1}, {2}, {1}}, {host(f32, {2, 1}, {1, 2})}, f32, {4}),
              same({1, 0, 2, 0}));
  EXPECT_THAT(run_one(Op::Fold, attrs, {host(i8, {2, 2}, {0, 100, 100, 0})}, i8, {3}), same({0, -56, 0}));
}

TEST(ReferenceFold, IsTheTransposeOfWindow) {
  // ⟨window(x), y⟩ = ⟨x, fold(y)⟩
  const WindowAttrs attrs{{1, 2}, {3, 2}, {2, 1}, {1, 3}};
  const Shape whole{2, 7, 6}, windowed{2, 3, 3, 3, 2};
  const Host x = data(f64, whole, 1), y = data(f64, windowed, 2);
  const std::vector<double> cut = run_one(Op::Window, attrs, {x}, f64, windowed);
  const std::vector<double> back = run_one(Op::Fold, attrs, {y}, f64, whole);
  const auto dot = [](const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
  };
  EXPECT_EQ(dot(cut, y.values()), dot(x.values(), back));
}

}  // namespace
}  // namespace tessera
