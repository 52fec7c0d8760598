// Whole training steps in bf16_mixed as plans for sm_90a, without a card: no kernel that only rounds, logits in memory once
// and narrow, sums over rows in registers, and layers that are equal share their kernels and are printed once.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include <tessera/codegen/cuda/executor/compile_program.h>
#include <tessera/codegen/cuda/runtime/compiler.h>
#include <tessera/core/error.h>
#include <tessera/core/operand_copies.h>
#include <tessera/core/trace.h>

#include "tests/support/training_steps.h"

namespace tessera {
namespace {

using codegen::Plan;
using codegen::PlanLaunch;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

cuda::LoweredProgram lowered(const std::string& name, testing::StepSize size, Precision precision = "bf16_mixed") {
  const testing::TrainingStep training = testing::training_step(name, size);
  Trace trace;
  std::vector<Tensor> batch;
  for (const auto& a : training.arguments) batch.push_back(trace.argument(a.dtype, a.shape, a.name));
  Trace::Recorded recorded = trace.finish({training(batch)}, name);
  recorded.program.precision = precision;
  if (precision.is_mixed()) OperandCopies(recorded, batch.size());
  return cuda::lower_program(recorded.program, {"sm_90a"});
}
Plan plan_of(const std::string& name, testing::StepSize size) { return lowered(name, size).plan; }

class CudaSteps : public ::testing::TestWithParam<const char*> {};

TEST_P(CudaSteps, round_in_the_kernels_that_compute) {
  const Plan plan = plan_of(GetParam(), {.batch = 8, .layers = 2});
  std::vector<std::string> only_round, rearranged;
  for (const PlanLaunch& launch : plan.launches) {
    const std::string& type = plan.values[static_cast<size_t>(launch.values.back())].type;
    if (launch.what == PlanLaunch::What::copy || launch.moves == "rounds" || launch.moves == "copies")
      only_round.push_back(type);
    if (launch.moves == "rounds and rearranges") rearranged.push_back(type);
  }
  EXPECT_THAT(only_round, IsEmpty());
  // Pictures come in f32, and the first layer is the first to touch them. No map of the copy engine has six dims, so patches
  // become rows; a line of taps needs four channels.
  if (std::string(GetParam()) == "vit") EXPECT_THAT(rearranged, ElementsAre("tensor<8x14x14x3x16x16xbf16>"));
  else if (std::string(GetParam()) == "resnet") EXPECT_THAT(rearranged, ElementsAre("tensor<8x229x230x4xbf16>"));
  else EXPECT_THAT(rearranged, IsEmpty());
}

// Of a patch embedding and the gradient of its filter, which nobody turns round for it.
TEST(CudaSteps, multiply_patches_by_the_copy_engine) {
  for (const char* name : {"vit", "dit"}) {
    const cuda::LoweredProgram step = lowered(name, {.layers = 1});
    const Plan& plan = step.plan;
    int products = 0;
    for (const PlanLaunch& launch : plan.launches) {
      if (plan.kernels[static_cast<size_t>(launch.kernel)].kind != "contract") continue;
      auto reads_rows_of_patches = [&](int value) {
        const std::string type = value < 0 ? "" : plan.values[static_cast<size_t>(value)].type;
        return type == "tensor<256x14x14x3x16x16xbf16>" || type == "tensor<256x16x16x4x2x2xbf16>";
      };
      if (!std::ranges::any_of(launch.values, reads_rows_of_patches)) continue;
      ++products;
      EXPECT_THAT(step.kernels[static_cast<size_t>(launch.kernel)].text, HasSubstr("copy engine and wgmma"));
    }
    EXPECT_EQ(products, 2) << name;
    for (const codegen::PlanValue& value : plan.values)
      EXPECT_THAT(value.type, Not(AnyOf("tensor<256x768x14x14xbf16>", "tensor<256x768x16x16xbf16>"))) << name;
  }
}

// Gradients of norms hold a row and up to three sums of columns in registers, beside what else a step fuses with them.
TEST_P(CudaSteps, sum_over_rows_in_registers) {
  try {
    cuda::compiler_version();
  } catch (const DeviceError&) {
    GTEST_SKIP() << "no NVRTC on this host";
  }
  cuda::LoweredProgram step = lowered(GetParam(), {.batch = 8, .layers = 2});
  int sums = 0;
  for (size_t k = 0; k < step.kernels.size(); ++k) {
    if (step.plan.kernels[k].kind != "column") continue;
    const cuda::Cubin cubin = cuda::compile_to_registers(step.kernels[k], step.kernels[k].name + ".cu", "sm_90a");
    EXPECT_THAT(cubin.facts.refused, IsEmpty()) << step.kernels[k].text;
    ++sums;
  }
  EXPECT_GT(sums, 4);
}

INSTANTIATE_TEST_SUITE_P(Of, CudaSteps, ::testing::Values("gpt2", "vit", "dit", "resnet"));

TEST(CudaSteps, write_logits_once_and_narrow) {
  const Plan plan = plan_of("gpt2", {.batch = 8, .layers = 1});
  std::vector<std::string> found;  // as large as logits
  for (const codegen::PlanValue& value : plan.values)
    if (value.bytes >= int64_t{8} * 1024 * 50304 * 2) found.push_back(value.type);
  EXPECT_THAT(found, ElementsAre("tensor<8x1024x50304xbf16>", "tensor<8x1024x50304xbf16>"))
      << "logits and their gradient";
}

// Of f32 a launch of copies before each product, and one for both gradients of it; of tf32 the latter, since what forward reads
// lies along K. They are read soon: gradients copy anew what forward has read.
TEST(CudaSteps, copy_operands_in_few_launches) {
  constexpr int layers = 2, products = 4;  // of a layer
  for (const auto& [precision, most] : {std::pair{"f32", 2 * products * layers + 3}, {"tf32", products * layers + 2}}) {
    const Plan plan = lowered("gpt2", {.batch = 8, .layers = layers}, precision).plan;
    int copies = 0;
    for (const PlanLaunch& launch : plan.launches) {
      if (plan.kernels[static_cast<size_t>(launch.kernel)].kind != "operand") continue;
      ++copies;
      for (size_t k = static_cast<size_t>(launch.reads); k < launch.values.size(); ++k) {
        const codegen::PlanValue& copy = plan.values[static_cast<size_t>(launch.values[k])];
        EXPECT_LT(copy.last - copy.first, static_cast<int>(plan.launches.size()) / 4) << precision;
      }
    }
    EXPECT_LE(copies, most) << precision;
  }
}

TEST(CudaSteps, of_more_layers_have_no_more_kernels_and_print_no_more_texts) {
  for (const char* name : {"gpt2", "vit", "dit"}) {
    const cuda::LoweredProgram more = lowered(name, {.batch = 8, .layers = 6});
    const cuda::LoweredProgram fewer = lowered(name, {.batch = 8, .layers = 3});
    EXPECT_EQ(more.kernels.size(), fewer.kernels.size()) << name;
    EXPECT_EQ(more.texts, fewer.texts) << name;
  }
}

}  // namespace
}  // namespace tessera
