// Reading values outside compile(): what is computed, what is shared, what is released.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <sstream>

#include <tessera/core/error.h>
#include <tessera/core/executor.h>
#include <tessera/core/ops.h>
#include <tessera/core/state.h>

namespace tessera {
namespace {

using ::testing::ElementsAre;

Tensor vec(std::initializer_list<float> values) { return tensor<float>(values); }

TEST(Evaluate, nothing_runs_until_a_read) {
  int64_t before = default_executor().compile_count();
  Tensor y = exp(vec({0, 1})) * 3.0;
  EXPECT_EQ(default_executor().compile_count(), before);
  y.eval();
  EXPECT_EQ(default_executor().compile_count(), before + 1);
}

TEST(Evaluate, a_read_computes_every_held_value_in_one_program) {
  Tensor x = vec({1, 2, 3});
  Tensor a = x * 2.0, b = a + 1.0, unrelated = x - 5.0;
  int64_t before = default_executor().compile_count();
  b.eval();
  EXPECT_TRUE(a.node()->value);
  EXPECT_TRUE(unrelated.node()->value);
  EXPECT_EQ(default_executor().compile_count(), before + 1);
  EXPECT_THAT(unrelated.to_vector<float>(), ElementsAre(-4, -3, -2));
}

TEST(Evaluate, a_computed_value_is_a_leaf) {
  Tensor y = vec({1, 2}) + 1.0;
  y.eval();
  EXPECT_TRUE(y.node()->inputs.empty());
}

TEST(Evaluate, literals_are_no_part_of_the_program) {
  Tensor x = vec({1, 2});
  (x * 2.5).eval();
  int64_t before = default_executor().compile_count();
  EXPECT_THAT((x * 3.5).to_vector<float>(), ElementsAre(3.5f, 7));
  EXPECT_EQ(default_executor().compile_count(), before);
}

TEST(Evaluate, an_integer_scalar_has_all_of_its_bits) {
  for (int64_t value :
       {(int64_t{1} << 53) + 1, std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min()})
    EXPECT_EQ(scalar(value, i64).item<int64_t>(), value);
}

TEST(Evaluate, a_long_chain_needs_no_stack) {
  Tensor x = vec({0});
  for (int i = 0; i < 100'000; ++i) x = x + 1.0;
  // Released without being computed: the destructor must not recurse either.
  x = Tensor();
  Tensor y = vec({0});
  for (int i = 0; i < 2'000; ++i) y = y + 1.0;
  EXPECT_EQ(y.item<float>(), 2000);
}

TEST(Evaluate, states_outside_compile_are_plain_slots) {
  State s("s", vec({1}));
  s.assign(s + 1.0);
  s.assign(s * 10.0);
  EXPECT_THAT(s.value().to_vector<float>(), ElementsAre(20));
}

TEST(Evaluate, empty_tensors_and_scalars) {
  EXPECT_TRUE((zeros({0, 3}) + 1.0).to_vector<float>().empty());
  EXPECT_EQ(sum(zeros({0, 3})).item<float>(), 0);
  EXPECT_EQ((scalar(2.0) * 3.0).item<float>(), 6);
}

TEST(Print, shortens_long_dims) {
  std::ostringstream small, large;
  small << tensor(std::vector<int32_t>{1, 2, 3, 4}, {2, 2});
  EXPECT_EQ(small.str(), "[[1, 2],\n [3, 4]] i32[2, 2]");
  large << arange(1000);
  EXPECT_EQ(large.str(), "[0, 1, 2, …, 997, 998, 999] i32[1000]");
}

}  // namespace
}  // namespace tessera
