// Cascades as CUDA C++ without a GPU: their texts are those of the files beside, and ptxas has registers enough for them on
// every architecture.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <tessera/codegen/cuda/executor/compile_program.h>
#include <tessera/codegen/cuda/runtime/compiler.h>
#include <tessera/core/error.h>

#include "tests/planes/attention.h"
#include "tests/planes/cuda_planes.h"

namespace tessera::testing {
namespace {

namespace fs = std::filesystem;

// Forward and backward in f32, or under the policy.
Program program_of(const std::string& variant, const AttentionShape& shape, const std::string& policy) {
  const AttentionProgram program = attention_program(variant, shape, {"f32", bf16, f32, f32}, 7);
  std::vector<Tensor> results = program.gradients;
  results.insert(results.begin(), program.out);
  return flat(results, Precision(policy)).program;
}

std::vector<cuda::KernelSource> cascade_texts(const cuda::LoweredProgram& lowered) {
  std::vector<cuda::KernelSource> texts;
  for (size_t k = 0; k < lowered.kernels.size(); ++k)
    if (lowered.plan.kernels[k].kind == "cascade") texts.push_back(lowered.kernels[k]);
  return texts;
}

std::string read(const fs::path& path) {
  std::ostringstream all;
  all << std::ifstream(path).rdbuf();
  return all.str();
}

TEST(CudaCascadeText, is_the_golden_one) {
  struct Golden {
    const char *variant, *policy, *architecture, *file;
    AttentionShape shape;
  };
  const AttentionShape layer{2, 12, 1024, 1024, 64}, ragged{2, 2, 197, 197, 80};
  for (const auto& [variant, policy, architecture, file, shape] :
       {Golden{"causal", "bf16_mixed", "", "causal", layer}, Golden{"softcap", "bf16_mixed", "", "softcap", ragged},
        Golden{"causal", "bf16_mixed", "sm_90a", "causal_roles", layer},
        Golden{"softcap", "bf16_mixed", "sm_90a", "softcap_roles", ragged},
        Golden{"causal", "f32", "", "causal_f32", layer}}) {
    std::string text;
    for (const cuda::KernelSource& kernel :
         cascade_texts(cuda::lower_program(program_of(variant, shape, policy), {architecture})))
      text += (text.empty() ? "" : "\n") + kernel.text;
    const fs::path actual = fs::path(TESSERA_CUDA_ACTUAL) / (std::string(file) + ".cu");
    fs::create_directories(actual.parent_path());
    std::ofstream(actual) << text;
    EXPECT_EQ(text, read(fs::path(TESSERA_CUDA_CASCADE) / actual.filename())) << "what it is now: " << actual;
  }
}

TEST(CudaCascadeText, multiplies_f32_as_the_policy_says) {
  for (const auto& [policy, has, has_not] : {std::tuple{"f32", "multiply_tf32<3, ", "multiply_tf32<1, "},
                                             {"tf32", "multiply_tf32<1, ", "multiply_tf32<3, "}}) {
    const auto texts = cascade_texts(cuda::lower_program(program_of("causal", {2, 2, 64, 64, 32}, policy), {}));
    EXPECT_EQ(texts.size(), 3u);
    for (const cuda::KernelSource& kernel : texts) {
      EXPECT_NE(kernel.text.find(has), std::string::npos) << policy << "\n" << kernel.text;
      EXPECT_EQ(kernel.text.find(has_not), std::string::npos) << policy << "\n" << kernel.text;
    }
  }
}

class CudaCascade : public ::testing::TestWithParam<std::tuple<std::string, int64_t, std::string>> {};

TEST_P(CudaCascade, compiles_without_a_spill_everywhere) {
  try {
    cuda::compiler_version();
  } catch (const DeviceError&) {
    GTEST_SKIP() << "no NVRTC on this host";
  }
  const auto& [variant, width, policy] = GetParam();
  for (const auto& [rows, columns] : {std::pair{512, 512}, {197, 197}, {60, 330}}) {
    if (policy == "f32" && rows == 197) continue;  // long texts, and ragged ones are among the others
    const Program program = program_of(variant, {2, 2, rows, columns, width}, policy);
    for (const char* architecture : {"sm_80", "sm_89", "sm_90a"}) {
      const cuda::Target target{architecture};
      cuda::ProgramLowering lowering(program, target);
      const std::vector<cuda::KernelSource> texts = cascade_texts(lowering.take());
      EXPECT_EQ(texts.size(), 3u);
      for (cuda::KernelSource source : texts) {
        const std::string first = source.key;
        cuda::Cubin cubin = cuda::compile_to_registers(source, source.name + ".cu", architecture);
        while (!cubin.facts.refused.empty() && !source.schedule.empty()) {
          source = lowering.next_schedule(first).value().source;
          cubin = cuda::compile_to_registers(source, source.name + ".cu", architecture);
        }
        EXPECT_THAT(cubin.facts.refused, ::testing::IsEmpty()) << architecture << "\n" << source.text;
        EXPECT_EQ(source.text.find("wgmma_plane.cuh") != std::string::npos, target.has_wgmma() && policy != "f32")
            << source.text;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Of, CudaCascade,
                         ::testing::Combine(::testing::Values("none", "causal"), ::testing::Values(32, 64, 80, 128),
                                            ::testing::Values("bf16_mixed", "f32")),
                         [](const auto& one) {
                           return std::get<0>(one.param) + "_" + std::to_string(std::get<1>(one.param)) + "_in_" +
                                  std::get<2>(one.param);
                         });

}  // namespace
}  // namespace tessera::testing
