// TESSERA_CHECK=nan on the CUDA executor, without a card.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include <tessera/core/compile.h>
#include <tessera/core/error.h>
#include <tessera/core/executor.h>
#include <tessera/core/state.h>

#include "tests/codegen/cuda_host/host_driver.h"

namespace tessera::testing {
namespace {

TEST(CudaCheckNan, names_the_line_and_loses_nothing) {
  setenv("TESSERA_CHECK", "nan", 1);
  use_host_driver();
  UseExecutor cuda(*find_executor("cuda"));
  State weight("weight", tensor({4.f, 2.f, 1.f}));
  auto step = compile([&](Tensor x) {
    weight.assign(weight.value() * 0.5);
    return log(weight.value() * x);
  });
  const int log_line = __LINE__ - 2;
  step(1.f);
  step(1.f);
  const std::vector<float> before = weight.value().to_vector<float>();
  std::string text;
  try {
    step(-1e9f);
  } catch (const ValueError& error) {
    text = error.what();
  }
  EXPECT_THAT(text, ::testing::HasSubstr("log is the first to give NaN"));
  EXPECT_THAT(text, ::testing::HasSubstr("cuda_check_nan_test.cpp:" + std::to_string(log_line)));
  EXPECT_EQ(weight.value().to_vector<float>(), before);
}

}  // namespace
}  // namespace tessera::testing
