// Structure and indexing on the reference executor.
#include <limits>

#include <gtest/gtest.h>

#include <tessera/core/error.h>

#include "tests/core/run_one.h"

namespace tessera {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

std::vector<double> counting(int64_t n) {
  std::vector<double> out;
  for (int64_t i = 0; i < n; ++i) out.push_back(static_cast<double>(i));
  return out;
}

// ---- structure ----

TEST(ReferenceStructure, BroadcastPutsDimsWhereTheyBelong) {
  EXPECT_THAT(run_one(Op::Broadcast, DimsAttrs{{}}, {host(f32, {}, {7})}, f32, {2, 2}), same({7, 7, 7, 7}));
  const Host x = host(f32, {2}, {1, 2});
  EXPECT_THAT(run_one(Op::Broadcast, DimsAttrs{{0}}, {x}, f32, {2, 3}), same({1, 1, 1, 2, 2, 2}));
  EXPECT_THAT(run_one(Op::Broadcast, DimsAttrs{{1}}, {x}, f32, {3, 2}), same({1, 2, 1, 2, 1, 2}));
  const Host column = host(i8, {2, 1}, {1, 2});
  EXPECT_THAT(run_one(Op::Broadcast, DimsAttrs{{0, 2}}, {column}, i8, {2, 2, 2}), same({1, 1, 1, 1, 2, 2, 2, 2}));
  EXPECT_THAT(run_one(Op::Broadcast, DimsAttrs{{0}}, {host(f32, {1}, {1})}, f32, {0}), same({}));
}

TEST(ReferenceStructure, TransposeOfThreeDims) {
  const Host x = host(i16, {2, 1, 3}, counting(6));
  EXPECT_THAT(run_one(Op::Transpose, DimsAttrs{{2, 0, 1}}, {x}, i16, {3, 2, 1}), same({0, 3, 1, 4, 2, 5}));
  EXPECT_THAT(run_one(Op::Transpose, DimsAttrs{{}}, {host(f64, {}, {3})}, f64, {}), same({3}));
}

TEST(ReferenceStructure, SliceStepsAndMayBeEmpty) {
  const Host x = host(f32, {3, 4}, counting(12));
  EXPECT_THAT(run_one(Op::Slice, SliceAttrs{{1, 0}, {3, 4}, {1, 3}}, {x}, f32, {2, 2}), same({4, 7, 8, 11}));
  EXPECT_THAT(run_one(Op::Slice, SliceAttrs{{1, 2}, {1, 4}, {1, 1}}, {x}, f32, {0, 2}), same({}));
}

TEST(ReferenceStructure, PadOutsideAndBetween) {
  const Host x = host(f32, {3}, {1, 2, 3});
  EXPECT_THAT(run_one(Op::Pad, PadAttrs{{1}, {2}, {1}, -1}, {x}, f32, {8}), same({-1, 1, -1, 2, -1, 3, -1, -1}));
  const Host square = host(i32, {2, 2}, {1, 2, 3, 4});
  EXPECT_THAT(run_one(Op::Pad, PadAttrs{{0, 1}, {1, 0}, {0, 0}, 9}, {square}, i32, {3, 3}),
              same({9, 1, 2, 9, 3, 4, 9, 9, 9}));
  EXPECT_THAT(run_one(Op::Pad, PadAttrs{{1}, {1}, {3}, 5}, {host(f32, {0}, {})}, f32, {2}), same({5, 5}));
}

TEST(ReferenceStructure, ConcatAlongAnyDim) {
  const Host a = host(f32, {2, 1}, {1, 2}), b = host(f32, {2, 2}, {3, 4, 5, 6}), none = host(f32, {2, 0}, {});
  EXPECT_THAT(run_one(Op::Concat, DimAttrs{1}, {a, none, b}, f32, {2, 3}), same({1, 3, 4, 2, 5, 6}));
  const Host c = host(f32, {1, 1}, {9});
  EXPECT_THAT(run_one(Op::Concat, DimAttrs{0}, {a, c}, f32, {3, 1}), same({1, 2, 9}));
}

TEST(ReferenceStructure, ReverseSomeDims) {
  const Host x = host(u8, {2, 3}, counting(6));
  EXPECT_THAT(run_one(Op::Reverse, DimsAttrs{{1}}, {x}, u8, {2, 3}), same({2, 1, 0, 5, 4, 3}));
  EXPECT_THAT(run_one(Op::Reverse, DimsAttrs{{0, 1}}, {x}, u8, {2, 3}), same({5, 4, 3, 2, 1, 0}));
  EXPECT_THAT(run_one(Op::Reverse, DimsAttrs{{0}}, {host(u8, {0}, {})}, u8, {0}), same({}));
}

// ---- dynamic slices ----

TEST(ReferenceDynamicSlice, StartIsClamped) {
  const Host x = host(f32, {5}, counting(5));
  const auto from = [&](double start) { return run_one(Op::DynamicSlice, {}, {x, host(i64, {}, {start})}, f32, {2}); };
  EXPECT_THAT(from(1), same({1, 2}));
  EXPECT_THAT(from(-3), same({0, 1}));
  EXPECT_THAT(from(100), same({3, 4}));
}

TEST(ReferenceDynamicSlice, UpdateReplacesABlock) {
  const Host x = host(f32, {3, 3}, counting(9)), update = host(f32, {1, 2}, {-1, -2});
  const auto at = [&](double row, double column) {
    return run_one(Op::DynamicUpdateSlice, {}, {x, update, host(i32, {}, {row}), host(i32, {}, {column})}, f32, {3, 3});
  };
  EXPECT_THAT(at(1, 0), same({0, 1, 2, -1, -2, 5, 6, 7, 8}));
  EXPECT_THAT(at(7, 7), same({0, 1, 2, 3, 4, 5, 6, -1, -2}));
  EXPECT_THAT(x.values(), same(counting(9)));
}

// ---- gather and scatter ----

TEST(ReferenceGather, TheDimBecomesTheIndicesShape) {
  const Host x = host(f32, {3, 2}, counting(6));
  EXPECT_THAT(run_one(Op::Gather, DimAttrs{0}, {x, host(i32, {2}, {2, 0})}, f32, {2, 2}), same({4, 5, 0, 1}));
  EXPECT_THAT(run_one(Op::Gather, DimAttrs{1}, {x, host(i64, {2, 1}, {1, 1})}, f32, {3, 2, 1}),
              same({1, 1, 3, 3, 5, 5}));
  EXPECT_THAT(run_one(Op::Gather, DimAttrs{0}, {x, host(i32, {}, {1})}, f32, {2}), same({2, 3}));
  EXPECT_THAT(run_one(Op::Gather, DimAttrs{0}, {x, host(i32, {0}, {})}, f32, {0, 2}), same({}));
}

TEST(ReferenceGather, AnIndexOutOfRangeNamesTheUsersLine) {
  const Host x = host(f32, {4, 3}, counting(12));
  for (const double bad : {-1.0, 3.0}) {
    const Host indices = host(i32, {2}, {0, bad});
    const Instruction instruction{
        .op = Op::Gather, .dtype = f32, .shape = {4, 2}, .attrs = DimAttrs{1}, .at = {"model.cpp", 57}};
    try {
      run_reference(instruction, {&x.type, &indices.type}, {x.buffer, indices.buffer});
      ADD_FAILURE() << "no error for index " << bad;
    } catch (const ValueError& error) {
      EXPECT_EQ(error.text().at.str(), "model.cpp:57");
      EXPECT_THAT(error.text().fault, ::testing::HasSubstr(std::to_string(static_cast<int>(bad))));
      EXPECT_THAT(error.text().fault, ::testing::HasSubstr("dim 1 of extent 3"));
    }
  }
}

TEST(ReferenceGather, AnIndexIsCheckedEvenWhenNothingWouldBeCopied) {
  const Host x = host(f32, {2, 0}, {}), indices = host(i32, {1}, {5});
  EXPECT_THROW(run_one(Op::Gather, DimAttrs{0}, {x, indices}, f32, {1, 0}), ValueError);
}

std::vector<double> scatter(ScatterMode mode, DType dtype, const std::vector<double>& base,
                            const std::vector<double>& indices, const std::vector<double>& updates) {
  const Shape shape{static_cast<int64_t>(base.size())}, count{static_cast<int64_t>(indices.size())};
  return run_one(Op::Scatter, ScatterAttrs{0, mode},
                 {host(dtype, shape, base), host(i32, count, indices), host(dtype, count, updates)}, dtype, shape);
}

TEST(ReferenceScatter, RepeatedIndices) {
  EXPECT_THAT(scatter(ScatterMode::set, f32, {9, 9, 9}, {1, 1, 0}, {1, 2, 3}), same({3, 2, 9}));
  EXPECT_THAT(scatter(ScatterMode::add, f32, {9, 9, 9}, {1, 1, 0}, {1, 2, 3}), same({12, 12, 9}));
  EXPECT_THAT(scatter(ScatterMode::max, f32, {2, 2, 2}, {1, 1, 0}, {1, 5, nan}), same({nan, 5, 2}));
  EXPECT_THAT(scatter(ScatterMode::add, i8, {100}, {0, 0}, {100, 100}), same({300 - 256}));
  EXPECT_THAT(scatter(ScatterMode::max, u32, {1}, {0}, {4294967295.0}), same({4294967295.0}));
  EXPECT_THAT(scatter(ScatterMode::add, f32, {1, 2}, {}, {}), same({1, 2}));
  EXPECT_THROW(scatter(ScatterMode::set, f32, {1, 2}, {2}, {1}), ValueError);
}

TEST(ReferenceScatter, RowsOfAMiddleDim) {
  const Host base = host(f32, {2, 3, 2}, std::vector<double>(12, 0));
  const Host updates = host(f32, {2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_THAT(
      run_one(Op::Scatter, ScatterAttrs{1, ScatterMode::add}, {base, host(i64, {2}, {2, 0}), updates}, f32, {2, 3, 2}),
      same({3, 4, 0, 0, 1, 2, 7, 8, 0, 0, 5, 6}));
}

TEST(ReferenceScatter, AddsInDoubleAndRoundsOnce) {
  // One by one in bf16, 256 + 1 would stay 256 for ever.
  EXPECT_THAT(scatter(ScatterMode::add, bf16, {256}, {0, 0, 0, 0}, {1, 1, 1, 1}), same({260}));
}

}  // namespace
}  // namespace tessera
