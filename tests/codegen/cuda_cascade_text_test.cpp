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

// Forward and backward under the policy.
Program program_of(const std::string& variant, const AttentionShape& shape) {
  const AttentionProgram program = attention_program(variant, shape, {"policy", bf16, f32, f32}, 7);
  std::vector<Tensor> results = program.gradients;
  results.insert(results.begin(), program.out);
  return flat(results, "bf16_mixed").program;
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
    const char *variant, *architecture, *file;
    AttentionShape shape;
  };
  for (const auto& [variant, architecture, file, shape] :
       {Golden{"causal", "", "causal", {2, 12, 1024, 1024, 64}}, Golden{"softcap", "", "softcap", {2, 2, 197, 197, 80}},
        Golden{"causal", "sm_90a", "causal_roles", {2, 12, 1024, 1024, 64}},
        Golden{"softcap", "sm_90a", "softcap_roles", {2, 2, 197, 197, 80}}}) {
    std::string text;
    for (const cuda::KernelSource& kernel :
         cascade_texts(cuda::lower_program(program_of(variant, shape), {architecture})))
      text += (text.empty() ? "" : "\n") + kernel.text;
    const fs::path actual = fs::path(TESSERA_CUDA_ACTUAL) / (std::string(file) + ".cu");
    fs::create_directories(actual.parent_path());
    std::ofstream(actual) << text;
    EXPECT_EQ(text, read(fs::path(TESSERA_CUDA_CASCADE) / actual.filename())) << "what it is now: " << actual;
  }
}

class CudaCascade : public ::testing::TestWithParam<std::tuple<std::string, int64_t>> {};

TEST_P(CudaCascade, compiles_without_a_spill_everywhere) {
  try {
    cuda::compiler_version();
  } catch (const DeviceError&) {
    GTEST_SKIP() << "no NVRTC on this host";
  }
  const auto& [variant, width] = GetParam();
  for (const auto& [rows, columns] : {std::pair{512, 512}, {197, 197}, {60, 330}}) {
    const Program program = program_of(variant, {2, 2, rows, columns, width});
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
        EXPECT_EQ(source.text.find("wgmma_plane.cuh") != std::string::npos, target.has_wgmma()) << source.text;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Of, CudaCascade,
                         ::testing::Combine(::testing::Values("none", "causal"), ::testing::Values(32, 64, 80, 128)),
                         [](const auto& one) {
                           return std::get<0>(one.param) + "_" + std::to_string(std::get<1>(one.param));
                         });

}  // namespace
}  // namespace tessera::testing
