// bf16_mixed and tf32 as policies of compile(): what they say, what they refuse, and the rounded copies of States that
// contractions read under the first. On the reference executor, which rounds what those contractions read and nothing else.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tessera/core/compile.h>
#include <tessera/core/error.h>
#include <tessera/core/executor.h>
#include <tessera/core/program.h>
#include <tessera/core/state.h>

namespace tessera {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class MixedPrecision : public ::testing::Test {
 protected:
  UseExecutor use_{reference_executor()};
};

// 1 + 2⁻⁸ lies half way between two numbers of bf16 and goes to the even one, which is 1.
constexpr float half_way = 1.00390625f;

template <class E, class F> std::string message_of(F f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  }
  return "no error";
}

TEST_F(MixedPrecision, is_known_by_name) {
  EXPECT_EQ(Precision("f32"), Precision());
  EXPECT_EQ(Precision("bf16_mixed"), precision::bf16_mixed({}));
  EXPECT_EQ(Precision("bf16_mixed").str(), "bf16_mixed");
  EXPECT_EQ(Precision("tf32").str(), "tf32");
  EXPECT_EQ(precision::bf16_mixed({.residual = bf16}).str(), "bf16_mixed(residual = bf16)");
  EXPECT_THAT(message_of<ValueError>([] { Precision("bf16"); }), HasSubstr("there is no precision 'bf16'"));
  EXPECT_THAT(message_of<ValueError>([] { Precision("tf16"); }), HasSubstr("f32, tf32 or bf16_mixed"));
  EXPECT_THAT(message_of<ValueError>([] { precision::bf16_mixed({.residual = f16}); }), HasSubstr("residuals as f16"));
}

TEST_F(MixedPrecision, excludes_strict) {
  auto identity = [](Tensor x) { return x; };
  for (const char* precision : {"bf16_mixed", "tf32"})
    EXPECT_THAT(message_of<ValueError>([&] { compile(identity, {.strict = true, .precision = precision}); }),
                HasSubstr(std::string("a strict program rounds where its ops say, so it cannot be ") + precision));
}

TEST_F(MixedPrecision, is_part_of_what_a_program_is) {
  auto record = [](Precision precision) {
    auto product = compile([](Tensor x) { return matmul(x, x); }, {.precision = precision});
    product(ones({2, 2}));
    return *product.program();
  };
  Program plain = record("f32"), tf32 = record("tf32"), mixed = record("bf16_mixed"),
          narrow = record(precision::bf16_mixed({.residual = bf16}));
  EXPECT_FALSE(plain.same_computation(mixed));
  EXPECT_FALSE(plain.same_computation(tf32));
  EXPECT_NE(plain.hash(), tf32.hash());
  EXPECT_FALSE(mixed.same_computation(narrow));
  EXPECT_NE(plain.hash(), mixed.hash());
  EXPECT_NE(mixed.hash(), narrow.hash());
}

TEST_F(MixedPrecision, contractions_read_rounded_operands_and_nothing_else_does) {
  auto f = [](Tensor x, Tensor y) { return std::vector<Tensor>{matmul(x, y), x * y}; };
  Tensor x = full({1, 1}, half_way), y = full({1, 1}, 3.0);
  EXPECT_EQ(compile(f)(x, y)[0].item<float>(), 3 * half_way);
  std::vector<Tensor> mixed = compile(f, {.precision = "bf16_mixed"})(x, y);
  EXPECT_EQ(mixed[0].item<float>(), 3);
  EXPECT_EQ(mixed[1].item<float>(), 3 * half_way);
}

// 1 + 2⁻¹² is no number of tf32.
TEST_F(MixedPrecision, tf32_is_f32_here) {
  auto square = [](Tensor x) { return matmul(x, x); };
  Tensor x = full({1, 1}, 1.000244140625f);
  EXPECT_EQ(compile(square, {.precision = "tf32"})(x).item<float>(), compile(square)(x).item<float>());
  EXPECT_NE(compile(square)(x).item<float>(), 1);
}

TEST_F(MixedPrecision, a_state_stays_wide_and_its_copy_follows_it) {
  State w("w", full({1, 1}, half_way));
  auto step = compile(
      [&](Tensor x) {
        Tensor y = matmul(x, reshape(w, {1, 1}));
        w.assign(w + 0.001953125);  // 2⁻⁹: less than bf16 has between 1 and 2
        return y;
      },
      {.precision = "bf16_mixed"});
  // Rounding the State itself would leave it at 1 for ever.
  std::vector<float> seen;
  for (int k = 0; k < 5; ++k) seen.push_back(step(ones({1, 1})).item<float>());
  EXPECT_THAT(seen, ElementsAre(1, 1.0078125f, 1.0078125f, 1.0078125f, 1.015625f));
  EXPECT_EQ(w.value().item<float>(), half_way + 5 * 0.001953125f);
  // The old copy is an argument of the program and the new one a result, written into the same memory.
  const Program& program = *step.program();
  EXPECT_EQ(program.inputs.size(), 3u);
  EXPECT_EQ(program.outputs.size(), 3u);
  EXPECT_EQ(program.donor.back(), 2);
}

TEST_F(MixedPrecision, a_copy_is_made_anew_when_others_assign_the_state) {
  State w("w", full({1, 1}, 1.0));
  auto read = compile([&](Tensor x) { return matmul(x, w); }, {.precision = "bf16_mixed"});
  auto grow = compile(
      [&](Tensor x) {
        Tensor y = matmul(x, w);
        w.assign(w * 2.0);
        return y;
      },
      {.precision = "bf16_mixed"});
  Tensor one = ones({1, 1});
  EXPECT_EQ(read(one).item<float>(), 1);
  EXPECT_EQ(grow(one).item<float>(), 1);
  EXPECT_EQ(read(one).item<float>(), 2);
  EXPECT_EQ(read(one).item<float>(), 2);
  EXPECT_EQ(grow(one).item<float>(), 2);
  w.assign(full({1, 1}, 16.0));  // as a checkpoint does
  EXPECT_EQ(read(one).item<float>(), 16);
  EXPECT_EQ(grow(one).item<float>(), 16);
  EXPECT_EQ(read(one).item<float>(), 32);
}

TEST_F(MixedPrecision, a_run_that_fails_loses_no_copy) {
  State w("w", full({2, 2}, 3.0));
  auto step = compile(
      [&](Tensor x, Tensor at) {
        Tensor y = matmul(x, w);
        w.assign(w + 1.0);
        return gather(y, at, 0);
      },
      {.precision = "bf16_mixed"});
  Tensor x = ones({2, 2});
  EXPECT_EQ(step(x, tensor<int32_t>({0})).to_vector<float>()[0], 6);
  EXPECT_THROW(step(x, tensor<int32_t>({7})), ValueError);
  EXPECT_EQ(step(x, tensor<int32_t>({1})).to_vector<float>()[0], 8);
}

}  // namespace
}  // namespace tessera
