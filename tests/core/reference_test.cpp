// Sources, elementwise ops, casts and selects on the reference executor, and the executor itself.
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include <tessera/core/error.h>
#include <tessera/core/random.h>

#include "tests/core/run_one.h"

namespace tessera {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

std::vector<double> unary(Op op, DType dtype, const std::vector<double>& x) {
  const Shape shape{static_cast<int64_t>(x.size())};
  return run_one(op, {}, {host(dtype, shape, x)}, dtype, shape);
}
std::vector<double> binary(Op op, DType dtype, const std::vector<double>& x, const std::vector<double>& y) {
  const Shape shape{static_cast<int64_t>(x.size())};
  const DType result = row(op).family == Family::Compare ? boolean : dtype;
  return run_one(op, {}, {host(dtype, shape, x), host(dtype, shape, y)}, result, shape);
}

// ---- sources ----

TEST(ReferenceSources, ConstantFillsEveryElement) {
  EXPECT_THAT(run_one(Op::Constant, ConstantAttrs{1.5}, {}, f32, {2, 3}), same(std::vector<double>(6, 1.5)));
  EXPECT_THAT(run_one(Op::Constant, ConstantAttrs{int64_t{-2}}, {}, bf16, {7}), same(std::vector<double>(7, -2)));
  EXPECT_THAT(run_one(Op::Constant, ConstantAttrs{int64_t{-1}}, {}, u32, {}), same({4294967295.0}));
  EXPECT_THAT(run_one(Op::Constant, ConstantAttrs{int64_t{3}}, {}, boolean, {2}), same({1, 1}));
  EXPECT_THAT(run_one(Op::Constant, ConstantAttrs{1.0}, {}, f32, {0, 3}), same({}));
}

TEST(ReferenceSources, ConstantKeepsAllBitsOfAnInteger) {
  const int64_t large = (int64_t{1} << 62) + 1;
  const Host out = run_host(Op::Constant, ConstantAttrs{large}, {}, i64, {3});
  for (int64_t i = 0; i < 3; ++i) EXPECT_EQ(load_int(out.buffer->data(), i64, i), large);
}

TEST(ReferenceSources, IotaCountsAlongItsDim) {
  EXPECT_THAT(run_one(Op::Iota, DimAttrs{0}, {}, i32, {2, 3}), same({0, 0, 0, 1, 1, 1}));
  EXPECT_THAT(run_one(Op::Iota, DimAttrs{1}, {}, f16, {2, 3}), same({0, 1, 2, 0, 1, 2}));
  EXPECT_THAT(run_one(Op::Iota, DimAttrs{1}, {}, i64, {2, 2, 2}), same({0, 0, 1, 1, 0, 0, 1, 1}));
  EXPECT_THAT(run_one(Op::Iota, DimAttrs{0}, {}, i64, {0}), same({}));
}

TEST(ReferenceSources, RandomIsTheFunctionOfRandomH) {
  const Host seed = host(i64, {}, {17}), step = host(i64, {}, {5});
  const Host bits = run_host(Op::Random, RandomAttrs{RandomKind::bits, 99}, {seed, step}, u32, {3, 3});
  const Host draw = run_host(Op::Random, RandomAttrs{RandomKind::uniform, 99}, {seed, step}, f32, {3, 3});
  for (int64_t e = 0; e < 9; ++e) {
    const uint64_t element = static_cast<uint64_t>(e);
    EXPECT_EQ(load_int(bits.buffer->data(), u32, e), random_bits(17, 99, 5, element));
    EXPECT_EQ(load_double(draw.buffer->data(), f32, e), random_uniform(17, 99, 5, element));
  }
}

// ---- elementwise ----

TEST(ReferenceElementwise, EveryFormulaOfTheTable) {
  for (const OpRow& formulas : op_table()) {
    if (!formulas.reference || formulas.types == TypeRule::Bits) continue;
    const auto [low, high] = formulas.domain;
    const std::vector<double> x = {low, (low + high) / 2, high};
    const std::vector<double> y = {formulas.second.low, 0.7, formulas.second.high};
    const bool two = formulas.arity == 2;
    std::vector<Host> operands = {host(f64, {3}, x)};
    if (two) operands.push_back(host(f64, {3}, y));
    const DType result = formulas.types == TypeRule::Compare ? boolean : f64;
    std::vector<double> wanted;
    for (size_t i = 0; i < 3; ++i) wanted.push_back(formulas.reference(x[i], two ? y[i] : 0));
    EXPECT_THAT(run_one(formulas.op, {}, operands, result, {3}), same(wanted)) << formulas.name;
  }
}

TEST(ReferenceElementwise, HandComputed) {
  EXPECT_THAT(unary(Op::Round, f32, {0.5, 1.5, 2.5, -0.5}), same({0, 2, 2, 0}));
  EXPECT_THAT(unary(Op::Sign, f32, {-3, 0, 4, nan}), same({-1, 0, 1, nan}));
  EXPECT_THAT(unary(Op::Sigmoid, f64, {0, -inf, inf, -1000}), same({0.5, 0, 1, 0}));
  EXPECT_THAT(unary(Op::Sqrt, f32, {4, -1, inf}), same({2, nan, inf}));
  EXPECT_THAT(unary(Op::Log, f32, {1, 0, -1}), same({0, -inf, nan}));
  EXPECT_THAT(binary(Op::Rem, f32, {5, -5, 5, -5}, {3, 3, -3, -3}), same({2, 1, -1, -2}));
  EXPECT_THAT(binary(Op::FloorDiv, f32, {5, -5, 1}, {3, 3, 0}), same({1, -2, inf}));
  EXPECT_THAT(binary(Op::Max, f32, {1, nan, 2, -inf}, {2, 2, nan, inf}), same({2, nan, nan, inf}));
  EXPECT_THAT(binary(Op::Min, f32, {1, nan, 2, -inf}, {2, 2, nan, inf}), same({1, nan, nan, -inf}));
  EXPECT_THAT(binary(Op::Div, f32, {1, -1, 0}, {0, 0, 0}), same({inf, -inf, nan}));
  EXPECT_THAT(binary(Op::NotEqual, f32, {nan, 1}, {nan, 1}), same({1, 0}));
  EXPECT_THAT(run_one(Op::IsFinite, {}, {host(f32, {3}, {1, inf, nan})}, boolean, {3}), same({1, 0, 0}));
  EXPECT_THAT(run_one(Op::IsFinite, {}, {host(i32, {1}, {7})}, boolean, {1}), same({1}));
}

TEST(ReferenceElementwise, RoundsOnceToTheNodesDtype) {
  const double third = static_cast<double>(1.0f / 3.0f);
  EXPECT_THAT(binary(Op::Div, f32, {1}, {3}), same({third}));
  // 1 + 2⁻⁸ is a tie of bf16 and goes to the even 1; 1 + 3 · 2⁻⁸ goes up.
  EXPECT_THAT(binary(Op::Add, bf16, {1, 1}, {0x1p-8, 0x1.8p-7}), same({1, 1.015625}));
  EXPECT_THAT(binary(Op::Mul, f16, {300}, {300}), same({inf}));
}

TEST(ReferenceElementwise, SignedIntegersWrapAndDivideDown) {
  EXPECT_THAT(binary(Op::Add, i8, {127, -128}, {1, -1}), same({-128, 127}));
  EXPECT_THAT(binary(Op::Mul, i16, {300}, {300}), same({90000 - 65536}));
  EXPECT_THAT(unary(Op::Neg, i8, {-128}), same({-128}));
  EXPECT_THAT(unary(Op::Abs, i32, {-5}), same({5}));
  EXPECT_THAT(binary(Op::FloorDiv, i32, {7, -7, 7, -7, 7}, {2, 2, -2, -2, 0}), same({3, -4, -4, 3, 0}));
  EXPECT_THAT(binary(Op::Rem, i32, {7, -7, 7, -7, 7}, {2, 2, -2, -2, 0}), same({1, 1, -1, -1, 0}));
  EXPECT_THAT(unary(Op::Not, i8, {0, 5}), same({-1, -6}));
  EXPECT_THAT(binary(Op::Xor, i32, {6}, {3}), same({5}));
}

TEST(ReferenceElementwise, SixtyFourBitsAreExact) {
  const int64_t large = (int64_t{1} << 60) + 1;
  const Host c = run_host(Op::Constant, ConstantAttrs{large}, {}, i64, {1});
  const Host one = host(i64, {1}, {1});
  EXPECT_EQ(load_int(run_host(Op::Add, {}, {c, one}, i64, {1}).buffer->data(), i64, 0), large + 1);
  EXPECT_THAT(run_one(Op::Greater, {}, {run_host(Op::Add, {}, {c, one}, i64, {1}), c}, boolean, {1}), same({1}));
}

TEST(ReferenceElementwise, UnsignedIntegersHaveNoSign) {
  EXPECT_THAT(binary(Op::Less, u32, {4294967295.0, 1}, {1, 4294967295.0}), same({0, 1}));
  EXPECT_THAT(binary(Op::Max, u32, {4294967295.0}, {1}), same({4294967295.0}));
  EXPECT_THAT(binary(Op::FloorDiv, u32, {4294967295.0}, {2}), same({2147483647.0}));
  EXPECT_THAT(binary(Op::Sub, u8, {1}, {2}), same({255}));
  EXPECT_THAT(unary(Op::Not, u8, {1}), same({254}));
}

TEST(ReferenceElementwise, BoolIsLogical) {
  EXPECT_THAT(unary(Op::Not, boolean, {0, 1}), same({1, 0}));
  EXPECT_THAT(binary(Op::And, boolean, {0, 0, 1, 1}, {0, 1, 0, 1}), same({0, 0, 0, 1}));
  EXPECT_THAT(binary(Op::Or, boolean, {0, 0, 1, 1}, {0, 1, 0, 1}), same({0, 1, 1, 1}));
  EXPECT_THAT(binary(Op::Xor, boolean, {0, 0, 1, 1}, {0, 1, 0, 1}), same({0, 1, 1, 0}));
  EXPECT_THAT(binary(Op::Equal, boolean, {0, 1}, {0, 0}), same({1, 0}));
}

TEST(ReferenceElementwise, ScalarsAndEmptyTensors) {
  EXPECT_THAT(run_one(Op::Neg, {}, {host(f32, {}, {2})}, f32, {}), same({-2}));
  EXPECT_THAT(run_one(Op::Neg, {}, {host(f32, {3, 0}, {})}, f32, {3, 0}), same({}));
}

TEST(ReferenceElementwise, CastAsConvertSays) {
  const auto cast = [](DType from, std::vector<double> x, DType to) {
    const Shape shape{static_cast<int64_t>(x.size())};
    return run_one(Op::Cast, {}, {host(from, shape, x)}, to, shape);
  };
  EXPECT_THAT(cast(f32, {1.9, -1.9, nan, 1e20}, i32), same({1, -1, 0, 2147483647}));
  EXPECT_THAT(cast(i32, {300, -1}, u8), same({44, 255}));
  EXPECT_THAT(cast(f32, {0.5, 0, nan}, boolean), same({1, 0, 1}));
  EXPECT_THAT(cast(boolean, {1, 0}, f8e5m2), same({1, 0}));
  EXPECT_THAT(cast(f32, {500}, f8e4m3), same({448}));
  // One rounding: through f32 this would be the tie 1 + 2⁻¹¹, and fall to 1.
  EXPECT_THAT(cast(f64, {1 + 0x1p-11 + 0x1p-40}, f16), same({1 + 0x1p-10}));
}

TEST(ReferenceElementwise, SelectTakesWholeElements) {
  const Host condition = host(boolean, {3}, {1, 0, 1});
  const Host a = host(f64, {3}, {1, 2, nan}), b = host(f64, {3}, {-1, -2, -3});
  EXPECT_THAT(run_one(Op::Select, {}, {condition, a, b}, f64, {3}), same({1, -2, nan}));
}

TEST(ReferenceElementwise, IdentitiesAndReshapeKeepTheElements) {
  const Host x = host(bf16, {2, 2}, {1, nan, -inf, 4});
  EXPECT_THAT(run_one(Op::StopGradient, {}, {x}, bf16, {2, 2}), same({1, nan, -inf, 4}));
  EXPECT_THAT(run_one(Op::Barrier, {}, {x}, bf16, {2, 2}), same({1, nan, -inf, 4}));
  EXPECT_THAT(run_one(Op::Reshape, {}, {x}, bf16, {4, 1}), same({1, nan, -inf, 4}));
}

// ---- the executor ----

Program sum_and_square() {  // (x, y) → x + y, x, (x + y)², x + y
  Program program;
  program.instructions = {
      {.op = Op::Input, .dtype = f32, .shape = {2}, .label = "x"},
      {.op = Op::Input, .dtype = f32, .shape = {2}, .label = "y"},
      {.op = Op::Add, .dtype = f32, .shape = {2}, .inputs = {0, 1}},
      {.op = Op::Mul, .dtype = f32, .shape = {2}, .inputs = {2, 2}},
  };
  program.inputs = {0, 1};
  program.outputs = {2, 0, 3, 2};
  program.donor = {-1, -1, -1, -1};
  return program;
}

TEST(ReferenceExecutor, RunsAProgram) {
  const Program program = sum_and_square();
  const std::shared_ptr<Executable> executable = make_reference_executor()->compile(program);
  const Host x = host(f32, {2}, {1, 2}), y = host(f32, {2}, {3, 4});
  std::vector<BufferPtr> arguments = {x.buffer, y.buffer};
  for (int repeat = 0; repeat < 2; ++repeat) {
    const std::vector<BufferPtr> results = executable->run(program, arguments);
    ASSERT_EQ(results.size(), 4u);
    EXPECT_EQ(load_double(results[0]->data(), f32, 1), 6);
    EXPECT_EQ(load_double(results[2]->data(), f32, 1), 36);
    EXPECT_EQ(results[1], x.buffer);  // an output that is an input is the argument itself
    EXPECT_EQ(results[3], results[0]);
  }
}

TEST(ReferenceExecutor, KeepsNothingAfterARun) {
  const Program program = sum_and_square();
  const std::shared_ptr<Executable> executable = make_reference_executor()->compile(program);
  const Host x = host(f32, {2}, {1, 2}), y = host(f32, {2}, {3, 4});
  std::vector<BufferPtr> arguments = {x.buffer, y.buffer};
  const std::vector<BufferPtr> results = executable->run(program, arguments);
  EXPECT_EQ(y.buffer.use_count(), 2);  // here and in `arguments`
  EXPECT_EQ(results[2].use_count(), 1);
}

TEST(ReferenceExecutor, ShowsTheProgram) {
  const Program program = sum_and_square();
  const std::shared_ptr<Executable> executable = make_reference_executor()->compile(program);
  EXPECT_EQ(executable->text(program, "tsr"), program.str());
  EXPECT_EQ(executable->text(program, "plan"), "");
}

TEST(ReferenceExecutor, AnErrorLeavesTheArguments) {
  Program program;
  program.instructions = {
      {.op = Op::Input, .dtype = f32, .shape = {2}},
      {.op = Op::Input, .dtype = i32, .shape = {}},
      {.op = Op::Gather, .dtype = f32, .shape = {}, .attrs = DimAttrs{0}, .inputs = {0, 1}},
  };
  program.inputs = {0, 1};
  program.outputs = {2};
  program.donor = {-1};
  std::vector<BufferPtr> arguments = {host(f32, {2}, {1, 2}).buffer, host(i32, {}, {2}).buffer};
  EXPECT_THROW(make_reference_executor()->compile(program)->run(program, arguments), ValueError);
  ASSERT_TRUE(arguments[0]);
  EXPECT_EQ(load_double(arguments[0]->data(), f32, 1), 2);
}

TEST(ReferenceExecutor, AnInputIsNotComputed) { EXPECT_THROW(run_host(Op::Input, {}, {}, f32, {1}), InternalError); }

}  // namespace
}  // namespace tessera
