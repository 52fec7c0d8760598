// TESSERA_CHECK=nan: the first kernel that gives a NaN or an infinity is named by line and module.

#include <cstdlib>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tessera/core/compile.h>
#include <tessera/core/error.h>
#include <tessera/core/state.h>

namespace tessera {
namespace {

using ::testing::HasSubstr;

const bool on = [] { return setenv("TESSERA_CHECK", "nan", 1) == 0; }();

template <class F> ErrorText error_of(F f) {
  try {
    f();
  } catch (const ValueError& e) {
    return e.text();
  }
  ADD_FAILURE() << "no error";
  return {};
}

// A contraction ends the kernel before `f`, another begins the one behind it.
template <class F> auto between_products(F f) {
  return compile([f](Tensor x, Tensor w) {
    ScopeGuard scope("model", Loc::here());
    return matmul(f(matmul(x, w)), w);
  });
}

TEST(CheckNan, NamesTheOpThatGaveIt) {
  ASSERT_TRUE(on);
  auto step = between_products([](Tensor y) {
    ScopeGuard scope("head", Loc::here());
    return log(y);
  });
  Tensor x = full({8, 8}, -1.0), w = full({8, 8}, 1.0);
  ErrorText error = error_of([&] { step(x, w); });
  EXPECT_EQ(error.code, "T-V041");
  EXPECT_EQ(error.fault, "log is the first to give NaN");
  EXPECT_EQ(error.path, "model.head");
  EXPECT_THAT(error.at.str(), HasSubstr("check_nan_test.cpp"));
  EXPECT_NO_THROW(step(full({8, 8}, 2.0), w));
}

TEST(CheckNan, NamesAnOverflow) {
  auto step = between_products([](Tensor y) { return exp(y); });
  ErrorText error = error_of([&] { step(full({8, 8}, 50.0), full({8, 8}, 1.0)); });
  EXPECT_EQ(error.fault, "exp is the first to give an infinity");
}

TEST(CheckNan, AMaskOfInfinityIsMeant) {
  auto step = compile([](Tensor x, Tensor w) {
    Tensor scores = matmul(x, w), minus = full({8, 8}, -std::numeric_limits<double>::infinity());
    Tensor masked = where(iota({8, 8}, 1) <= iota({8, 8}, 0), scores, minus);
    return matmul(softmax(masked, 1), w);
  });
  EXPECT_NO_THROW(step(full({8, 8}, 0.5), full({8, 8}, 1.0)));
}

TEST(CheckNan, ANaNThatWasGivenIsNamedAsAnInput) {
  auto step = compile([](Tensor x) { return x * 2.0; });
  ErrorText error = error_of([&] { step(full({4}, std::numeric_limits<double>::quiet_NaN())); });
  ASSERT_FALSE(error.operands.empty());
  EXPECT_THAT(error.operands[0].second, HasSubstr("nan at element 0"));
}

TEST(CheckNan, LosesNothing) {
  State state("weights", full({4}, -1.0).eval());
  auto step = compile([&] {
    Tensor next = state.value() + 0.5;
    state.assign(next);
    return log(next);
  });
  error_of([&] { step(); });
  EXPECT_EQ(state.value().to_vector<float>(), std::vector<float>(4, -1.0f));
}

}  // namespace
}  // namespace tessera
