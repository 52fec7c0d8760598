// Strict programs on the device: in a kernel each op rounds as it does by itself.

#include <gtest/gtest.h>

#include <cmath>

#include <tessera/core/compile.h>
#include <tessera/core/ops.h>

#include "tests/codegen/cuda_host/cuda_executor.h"

namespace tessera::testing {
namespace {

using CudaStrict = CudaExecutor;

const CompileOptions strict{.strict = true};

Tensor waves(int64_t count, float step) {
  std::vector<float> data(static_cast<size_t>(count));
  for (size_t k = 0; k < data.size(); ++k) data[k] = 4 * std::sin(step * static_cast<float>(k));
  return tensor(data, {count});
}

// A factor that all elements of a sum share stays at each: without it they leave the range of f32.
TEST_F(CudaStrict, elements_of_a_sum_keep_their_factor) {
  const Tensor x = full({8, 64}, 3e38, f32), w = full({64}, 0.1, f32);
  auto of_columns = compile([](Tensor a, Tensor b) { return sum(a * b, {0}); }, strict);
  for (float total : floats(of_columns(x, w))) EXPECT_FLOAT_EQ(total, 2.4e38f);
  auto of_rows = compile([](Tensor a) { return sum(a * (1.0 / max(a, {1}, true)), {1}); }, strict);
  for (float total : floats(of_rows(x))) EXPECT_FLOAT_EQ(total, 64);
}

// (1 + 2⁻¹²)² is 1 + 2⁻¹¹ when it is rounded.
TEST_F(CudaStrict, a_product_rounds_before_a_sum_takes_it) {
  constexpr float near_one = 1 + 0x1p-12f;
  std::vector<float> of_x(64 * 512), of_y(64 * 512);  // a thread has the first two
  of_x[0] = 1 + 0x1p-11f, of_y[0] = -1;
  of_x[1] = of_y[1] = near_one;
  const Tensor x = tensor(of_x, {64, 512}), y = tensor(of_y, {64, 512});
  auto total = compile([](Tensor a, Tensor b) { return sum(a * b, {1}); }, strict);
  EXPECT_EQ(floats(total(x, y))[0], 0);
}

TEST_F(CudaStrict, functions_are_those_of_single_ops) {
  auto together = compile(
      [](Tensor x, Tensor y) {
        const Tensor t = tanh(x);
        return std::vector{1 + t, 1 - t * t, exp(x - y), 1 + exp(-x)};
      },
      strict);
  auto tanh_alone = compile([](Tensor x) { return tanh(x); }, strict);
  auto exp_alone = compile([](Tensor x) { return exp(x); }, strict);
  const Tensor x = waves(2000, 0.0371f), y = waves(2000, 0.0173f);
  std::vector<std::vector<float>> found;
  for (const Tensor& result : together(x, y)) found.push_back(floats(result));
  const std::vector<float> t = floats(tanh_alone(x)), e = floats(exp_alone((x - y).eval())),
                           n = floats(exp_alone((-x).eval()));
  for (size_t k = 0; k < t.size(); ++k) {
    const float square = t[k] * t[k];
    EXPECT_EQ(found[0][k], 1 + t[k]) << k;
    EXPECT_EQ(found[1][k], 1 - square) << k;
    EXPECT_EQ(found[2][k], e[k]) << k;
    EXPECT_EQ(found[3][k], 1 + n[k]) << k;
  }
}

}  // namespace
}  // namespace tessera::testing
