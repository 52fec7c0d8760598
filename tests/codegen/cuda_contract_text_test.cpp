// Contractions as CUDA C++ without a GPU: their texts are those of the files beside, and NVRTC makes of each what its
// schedule says, on every architecture.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <tessera/codegen/cuda/executor/compile_program.h>
#include <tessera/codegen/cuda/executor/lower_program.h>
#include <tessera/codegen/cuda/runtime/compiler.h>
#include <tessera/core/error.h>

#include "tests/codegen/cuda_contract/programs.h"

namespace tessera::cuda {
namespace {

namespace fs = std::filesystem;

// Memory that nobody reads: only its shape counts here.
Tensor unread(const std::string&, DType dtype, const Shape& shape) {
  return tensor_from(std::make_shared<tessera::Buffer>(static_cast<size_t>(shape.numel()) * size_of(dtype)), dtype,
                     shape);
}

LoweredProgram lowered(const std::string& name, testing::Size size, DType dtype) {
  return lower_program(testing::contract_program(name, size, dtype, unread).program, {});
}

std::string read(const fs::path& path) {
  std::ostringstream all;
  all << std::ifstream(path).rdbuf();
  return all.str();
}

class CudaContractText : public ::testing::TestWithParam<std::string> {};

TEST_P(CudaContractText, is_the_golden_one) {
  std::string text;
  for (const KernelSource& kernel : lowered(GetParam(), testing::Size::of_a_model, f32).kernels)
    text += (text.empty() ? "" : "\n") + kernel.text;
  const fs::path actual = fs::path(TESSERA_CUDA_ACTUAL) / (GetParam() + ".cu");
  fs::create_directories(actual.parent_path());
  std::ofstream(actual) << text;
  EXPECT_EQ(text, read(fs::path(TESSERA_CUDA_CONTRACT) / (GetParam() + ".cu"))) << "what it is now: " << actual;
}

TEST_P(CudaContractText, compiles_to_its_schedule_everywhere) {
  try {
    compiler_version();
  } catch (const DeviceError&) {
    GTEST_SKIP() << "no NVRTC on this host";
  }
  for (testing::Size size : {testing::Size::of_a_model, testing::Size::ragged}) {
    for (DType dtype : {f32, bf16, f64}) {
      for (const KernelSource& kernel : lowered(GetParam(), size, dtype).kernels) {
        for (const char* architecture : {"sm_80", "sm_89", "sm_90a"}) {
          KernelSource source = kernel;  // becomes the text that was taken
          const Cubin cubin = compile_to_registers(source, kernel.name + ".cu", architecture);
          EXPECT_THAT(cubin.facts.refused, ::testing::IsEmpty()) << architecture << "\n" << kernel.text;
          ASSERT_EQ(cubin.facts.entries.size(), 1u) << cubin.log;
          EXPECT_EQ(cubin.facts.entries[0].spill_stores + cubin.facts.entries[0].spill_loads, 0) << cubin.log;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(programs, CudaContractText, ::testing::ValuesIn(testing::contract_program_names()),
                         [](const auto& name) { return name.param; });

}  // namespace
}  // namespace tessera::cuda
