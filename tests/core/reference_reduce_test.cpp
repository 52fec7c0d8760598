// Reductions, scans, sorting and the normal forms on the reference executor.
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "tests/core/run_one.h"

namespace tessera {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

std::vector<double> reduce(ReduceKind kind, Dims dims, const Host& x, Shape shape) {
  return run_one(Op::Reduce, ReduceAttrs{kind, std::move(dims)}, {x}, x.type.dtype, std::move(shape));
}

TEST(ReferenceReduce, AnySetOfDims) {
  const Host x = host(f32, {2, 3, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  EXPECT_THAT(reduce(ReduceKind::sum, {0}, x, {3, 2}), same({6, 8, 10, 12, 14, 16}));
  EXPECT_THAT(reduce(ReduceKind::sum, {1}, x, {2, 2}), same({6, 9, 24, 27}));
  EXPECT_THAT(reduce(ReduceKind::sum, {0, 2}, x, {3}), same({14, 22, 30}));
  EXPECT_THAT(reduce(ReduceKind::max, {0, 1, 2}, x, {}), same({11}));
  EXPECT_THAT(reduce(ReduceKind::min, {1}, x, {2, 2}), same({0, 1, 6, 7}));
  EXPECT_THAT(reduce(ReduceKind::prod, {2}, x, {2, 3}), same({0, 6, 20, 42, 72, 110}));
  EXPECT_THAT(reduce(ReduceKind::sum, {}, host(f32, {2}, {1, 2}), {2}), same({1, 2}));
  EXPECT_THAT(reduce(ReduceKind::sum, {}, host(f32, {}, {5}), {}), same({5}));
}

TEST(ReferenceReduce, NothingToReduce) {
  const Host none = host(f32, {2, 0}, {});
  EXPECT_THAT(reduce(ReduceKind::sum, {1}, none, {2}), same({0, 0}));
  EXPECT_THAT(reduce(ReduceKind::prod, {1}, none, {2}), same({1, 1}));
  EXPECT_THAT(reduce(ReduceKind::max, {0}, none, {0}), same({}));
}

TEST(ReferenceReduce, NanAndInfinity) {
  const Host x = host(f32, {3, 2}, {1, nan, nan, 2, -inf, -inf});
  EXPECT_THAT(reduce(ReduceKind::max, {1}, x, {3}), same({nan, nan, -inf}));
  EXPECT_THAT(reduce(ReduceKind::min, {1}, x, {3}), same({nan, nan, -inf}));
}

TEST(ReferenceReduce, IntegersAndBool) {
  EXPECT_THAT(reduce(ReduceKind::sum, {0}, host(i8, {2}, {100, 100}), {}), same({200 - 256}));
  EXPECT_THAT(reduce(ReduceKind::min, {0}, host(u32, {2}, {4294967295.0, 7}), {}), same({7}));
  EXPECT_THAT(reduce(ReduceKind::max, {0}, host(i64, {2}, {-5, -7}), {}), same({-5}));
  const Host flags = host(boolean, {2, 2}, {0, 1, 0, 0});
  EXPECT_THAT(reduce(ReduceKind::max, {1}, flags, {2}), same({1, 0}));  // any
  EXPECT_THAT(reduce(ReduceKind::min, {0}, flags, {2}), same({0, 0}));  // all
  EXPECT_THAT(run_one(Op::Reduce, ReduceAttrs{ReduceKind::sum, {0}}, {host(boolean, {3}, {1, 1, 1})}, i32, {}),
              same({3}));
}

TEST(ReferenceReduce, SumsInDoubleAndRoundsOnce) {
  EXPECT_THAT(reduce(ReduceKind::sum, {0}, host(f32, {4}, {0x1p30, 1, 1, -0x1p30}), {}), same({2}));
}

TEST(ReferenceVariance, IsBiased) {
  const Host x = host(f64, {2, 4}, {1, 2, 3, 4, 5, 5, 5, 5});
  EXPECT_THAT(run_one(Op::Variance, DimsAttrs{{1}}, {x}, f64, {2}), same({1.25, 0}));
  EXPECT_THAT(run_one(Op::Variance, DimsAttrs{{0}}, {x}, f64, {4}), same({4, 2.25, 1, 0.25}));
  EXPECT_THAT(run_one(Op::Variance, DimsAttrs{{0}}, {host(f32, {1}, {7})}, f32, {}), same({0}));
  EXPECT_THAT(run_one(Op::Variance, DimsAttrs{{0}}, {host(f32, {0}, {})}, f32, {}), same({nan}));
}

// ---- places ----

TEST(ReferenceArgMax, TheFirstOfEqualsAndNanAboveAll) {
  const Host x = host(f32, {4, 3}, {1, 3, 3, 2, 2, 2, 1, nan, nan, -inf, -inf, -inf});
  EXPECT_THAT(run_one(Op::ArgMax, DimAttrs{1}, {x}, i64, {4}), same({1, 0, 1, 0}));
  EXPECT_THAT(run_one(Op::ArgMin, DimAttrs{1}, {x}, i64, {4}), same({0, 0, 1, 0}));
  const Host y = host(i32, {2, 3}, {5, 1, 2, 4, 1, 7});
  EXPECT_THAT(run_one(Op::ArgMax, DimAttrs{0}, {y}, i64, {3}), same({0, 0, 1}));
  EXPECT_THAT(run_one(Op::ArgMin, DimAttrs{0}, {y}, i64, {3}), same({1, 0, 0}));
}

TEST(ReferenceArgSort, StableWithNanLast) {
  const Host x = host(f32, {6}, {2, nan, 1, 2, nan, -inf});
  EXPECT_THAT(run_one(Op::ArgSort, ArgSortAttrs{0, false}, {x}, i64, {6}), same({5, 2, 0, 3, 1, 4}));
  EXPECT_THAT(run_one(Op::ArgSort, ArgSortAttrs{0, true}, {x}, i64, {6}), same({0, 3, 2, 5, 1, 4}));
}

TEST(ReferenceArgSort, AlongAnyDim) {
  const Host x = host(u8, {3, 2}, {3, 200, 1, 5, 2, 5});
  EXPECT_THAT(run_one(Op::ArgSort, ArgSortAttrs{0, false}, {x}, i64, {3, 2}), same({1, 1, 2, 2, 0, 0}));
  EXPECT_THAT(run_one(Op::ArgSort, ArgSortAttrs{1, true}, {x}, i64, {3, 2}), same({1, 0, 1, 0, 1, 0}));
  EXPECT_THAT(run_one(Op::ArgSort, ArgSortAttrs{0, false}, {host(f32, {0}, {})}, i64, {0}), same({}));
}

// ---- scans ----

TEST(ReferenceScan, InclusiveInBothDirections) {
  const Host x = host(f32, {2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(run_one(Op::Scan, ScanAttrs{ScanKind::sum, 1, false}, {x}, f32, {2, 3}), same({1, 3, 6, 4, 9, 15}));
  EXPECT_THAT(run_one(Op::Scan, ScanAttrs{ScanKind::sum, 1, true}, {x}, f32, {2, 3}), same({6, 5, 3, 15, 11, 6}));
  EXPECT_THAT(run_one(Op::Scan, ScanAttrs{ScanKind::prod, 0, false}, {x}, f32, {2, 3}), same({1, 2, 3, 4, 10, 18}));
  const Host y = host(f32, {4}, {1, 3, nan, 2});
  EXPECT_THAT(run_one(Op::Scan, ScanAttrs{ScanKind::max, 0, false}, {y}, f32, {4}), same({1, 3, nan, nan}));
  EXPECT_THAT(run_one(Op::Scan, ScanAttrs{ScanKind::max, 0, true}, {y}, f32, {4}), same({nan, nan, nan, 2}));
  EXPECT_THAT(run_one(Op::Scan, ScanAttrs{ScanKind::sum, 0, false}, {host(f32, {0}, {})}, f32, {0}), same({}));
  EXPECT_THAT(run_one(Op::Scan, ScanAttrs{ScanKind::sum, 0, false}, {host(i8, {2}, {100, 100})}, i8, {2}),
              same({100, -56}));
}

// ---- softmax ----

std::vector<double> softmax(const Host& x, int64_t dim) {
  return run_one(Op::Softmax, DimAttrs{dim}, {x}, x.type.dtype, x.type.shape);
}

TEST(ReferenceSoftmax, HandComputed) {
  EXPECT_THAT(softmax(host(f64, {2}, {0, std::log(3.0)}), 0), same({0.25, 0.75}));
  EXPECT_THAT(softmax(host(f64, {2, 2}, {1000, 1000, -1000, -1000}), 1), same({0.5, 0.5, 0.5, 0.5}));
  EXPECT_THAT(softmax(host(f64, {2, 2}, {0, 5, std::log(3.0), 5}), 0), same({0.25, 0.5, 0.75, 0.5}));
  EXPECT_THAT(softmax(host(f32, {1}, {-3}), 0), same({1}));
  EXPECT_THAT(softmax(host(f32, {2, 0}, {}), 1), same({}));
}

TEST(ReferenceSoftmax, RowsWithoutAFiniteEntry) {
  EXPECT_THAT(softmax(host(f32, {2, 2}, {-inf, -inf, -inf, 4}), 1), same({0, 0, 0, 1}));
  EXPECT_THAT(softmax(host(f32, {2}, {nan, 1}), 0), same({nan, nan}));
  EXPECT_THAT(softmax(host(f32, {2}, {nan, -inf}), 0), same({nan, nan}));
  EXPECT_THAT(softmax(host(f32, {2}, {inf, 1}), 0), same({nan, nan}));
}

TEST(ReferenceLogSumExp, HandComputedAndInfinite) {
  const auto logsumexp = [](const std::vector<double>& x) {
    const Host row = host(f64, {static_cast<int64_t>(x.size())}, x);
    return run_one(Op::LogSumExp, DimAttrs{0}, {row}, f64, {});
  };
  EXPECT_THAT(logsumexp({1000, 1000}), same({1000 + std::log(2.0)}));
  EXPECT_THAT(logsumexp({-inf, -inf}), same({-inf}));
  EXPECT_THAT(logsumexp({-inf, 3}), same({3}));
  EXPECT_THAT(logsumexp({inf, 3}), same({inf}));
  EXPECT_THAT(logsumexp({nan, 3}), same({nan}));
  EXPECT_THAT(logsumexp({}), same({-inf}));
  const Host x = host(f64, {2, 2}, {1, 2, -inf, 2});
  EXPECT_THAT(run_one(Op::LogSumExp, DimAttrs{0}, {x}, f64, {2}), same({1, 2 + std::log(2.0)}));
}

}  // namespace
}  // namespace tessera
