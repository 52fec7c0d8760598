// The gradient of a maximum reaches the elements that are the maximum, also where another kernel computes them again than the
// one that looked for it: what rounds apart there would be found nowhere. Compiled, and as CUDA texts on the processor.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <tessera/autograd/grad.h>
#include <tessera/core/compile.h>
#include <tessera/core/executor.h>
#include <tessera/core/ops.h>

#include "tests/codegen/cuda_rows/host_executor.h"

namespace tessera::testing {
namespace {

constexpr int64_t extent = 40;

Tensor waves(const Shape& shape, float step, DType dtype) {
  std::vector<float> data(static_cast<size_t>(shape.numel()));
  for (size_t k = 0; k < data.size(); ++k) data[k] = 1.7f * std::sin(step * static_cast<float>(k) + 0.3f);
  return cast(tensor(data, shape), dtype).eval();
}

struct Elements {
  std::string name;
  Tensor (*of)(const Tensor& a, const Tensor& b);
  // What else the program gives, so that kernels differ in what they compute beside.
  Tensor (*beside)(const Tensor& a, const Tensor& b);
};

Tensor nothing(const Tensor& a, const Tensor&) { return a; }

const std::vector<Elements> all_elements = {
    {"product", [](const Tensor& a, const Tensor& b) { return a * b; }, nothing},
    {"product_and_sum", [](const Tensor& a, const Tensor& b) { return a * b + a; }, nothing},
    {"centered", [](const Tensor& a, const Tensor& b) { return (a - mean(a, {1}, true)) * b; }, nothing},
    {"silu", [](const Tensor& a, const Tensor& b) { return a * sigmoid(b); }, nothing},
    {"gelu", [](const Tensor& a, const Tensor&) { return a * (1 + tanh(a)); },
     [](const Tensor& a, const Tensor&) { return tanh(a); }},
    {"exponential", [](const Tensor& a, const Tensor& b) { return exp(a - mean(b, {1}, true)); },
     [](const Tensor& a, const Tensor& b) { return cumsum(a - mean(b, {1}, true), 1); }},
    {"exponential_and_one", [](const Tensor& a, const Tensor&) { return 1 + exp(-a); }, nothing},
    {"affine_of_what_is_stored", [](const Tensor& a, const Tensor& b) { return a * b * 1.7 + 0.3; },
     [](const Tensor& a, const Tensor& b) { return matmul(a * b, b); }},
};

struct Setting {
  std::string executor;
  DType dtype;
  const char* precision;
};

class ExtremeGradient : public ::testing::TestWithParam<Setting> {
 protected:
  static void SetUpTestSuite() {
    if (!find_executor("cuda-texts")) register_executor(std::make_unique<HostExecutor>(), /*preferred=*/false);
  }
};

// What moves a row, or a column, of the elements and what moves its maximum are the same to the loss. The maximum of a row is
// there for the kernel that finds it; that of a column is not, and the next kernel computes the elements again.
void expect_all(const Setting& setting, const Elements& elements, int64_t along) {
  const Shape square{extent, extent}, line = along == 1 ? Shape{extent, 1} : Shape{1, extent};
  auto gradients = compile(
      [&](Tensor a, Tensor b, Tensor weight, Tensor moved, Tensor offset) {
        const Tensor highest = max(elements.of(a, b) + moved, {along}, true) + offset;
        const Tensor loss = sum(tanh(matmul(reshape(highest, {1, extent}), weight) * 0.02));
        std::vector<Tensor> results = grad(loss, {moved, offset, a, b});
        results.push_back(elements.beside(a, b));
        return results;
      },
      {.precision = setting.precision});
  const std::vector<Tensor> found =
      gradients(waves(square, 0.37f, setting.dtype), waves(square, 0.11f, setting.dtype),
                waves({extent, 16}, 0.7f, setting.dtype), zeros(line, setting.dtype), zeros(line, setting.dtype));
  const std::vector<double> moved = found[0].to_vector<double>(), offset = found[1].to_vector<double>();
  double largest = 0;
  for (double x : offset) largest = std::max(largest, std::fabs(x));
  EXPECT_GT(largest, 0.01) << elements.name;
  const bool is_narrow = setting.dtype != f32 || setting.precision != std::string("f32");
  int lost = 0;
  for (size_t k = 0; k < moved.size(); ++k)
    lost += !(std::fabs(moved[k] - offset[k]) <= largest * (is_narrow ? 0.03 : 1e-5));
  EXPECT_EQ(lost, 0) << elements.name << " along " << along;
}

TEST_P(ExtremeGradient, is_all_that_the_maximum_gets) {
  UseExecutor use(*find_executor(GetParam().executor));
  for (const Elements& elements : all_elements)
    for (int64_t along : {0, 1}) expect_all(GetParam(), elements, along);
}

// A row that several blocks share is several launches, and only one of them reads tanh by itself.
TEST(ExtremeGradientOfLongRows, is_found_by_the_last_launch) {
  if (!find_executor("cuda-texts")) register_executor(std::make_unique<HostExecutor>(), /*preferred=*/false);
  auto gradient = [](Tensor a) {
    const Tensor t = tanh(a);
    return grad(sum(tanh(max(a * (1 + t), {1}) * 0.1)) + 1e-6 * sum(t * t * t), a);
  };
  const Tensor a = waves({2, 65536}, 0.37f, f32);
  std::vector<double> found[2];
  for (Executor* executor : {find_executor("cuda-texts"), &reference_executor()}) {
    UseExecutor use(*executor);
    found[executor == &reference_executor()] = compile(gradient)(a).to_vector<double>();
  }
  EXPECT_GT(*std::max_element(found[1].begin(), found[1].end()), 0.01);
  for (size_t k = 0; k < found[0].size(); ++k) ASSERT_NEAR(found[0][k], found[1][k], 1e-5) << k;
}

INSTANTIATE_TEST_SUITE_P(All, ExtremeGradient,
                         ::testing::Values(Setting{"jit", f32, "f32"}, Setting{"jit", bf16, "f32"},
                                           Setting{"jit", f16, "f32"}, Setting{"jit", f32, "bf16_mixed"},
                                           Setting{"cuda-texts", f32, "f32"}, Setting{"cuda-texts", bf16, "f32"},
                                           Setting{"cuda-texts", f32, "bf16_mixed"}),
                         [](const auto& one) {
                           std::string name = one.param.executor + "_" + std::string(tessera::name(one.param.dtype)) +
                                              "_" + one.param.precision;
                           for (char& c : name)
                             if (c == '-') c = '_';
                           return name;
                         });

}  // namespace
}  // namespace tessera::testing
