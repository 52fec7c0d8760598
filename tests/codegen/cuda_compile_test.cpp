// The device header and the kernels written against it go through NVRTC without a GPU: no spill, no remark of ptxas. And
// what would spoil a schedule is refused, each case planted here.

#include <gtest/gtest.h>

#include <string>

#include <fmt/format.h>

#include <tessera/codegen/cuda/runtime/compile_log.h>
#include <tessera/codegen/cuda/runtime/compiler.h>
#include <tessera/codegen/cuda/runtime/device_header.h>
#include <tessera/codegen/cuda/runtime/library.h>
#include <tessera/core/error.h>

#include "tests/codegen/cuda/launch.h"

namespace tessera::cuda {
namespace {

std::string refusals(const std::string& text) {
  std::string all;
  for (const std::string& line : compile_kernel("planted.cu", text, "sm_90a", OnRefusal::report).facts.refused)
    all += line + "\n";
  return all;
}

class CudaCompile : public testing::Test {
 protected:
  void SetUp() override {
    try {
      compiler_version();
    } catch (const DeviceError&) {
      GTEST_SKIP() << "no NVRTC on this host";
    }
  }
};

class CudaKernelText : public CudaCompile, public testing::WithParamInterface<const char*> {};

TEST_P(CudaKernelText, CompilesToItsSchedule) {
  const std::string path = std::string(TESSERA_CUDA_KERNELS) + "/" + GetParam() + ".cu";
  const Cubin cubin = compile_kernel(std::string(GetParam()) + ".cu", read_text(path), "sm_90a");
  ASSERT_EQ(cubin.facts.entries.size(), 1u) << cubin.log;
  const EntryFacts& entry = cubin.facts.entries[0];
  EXPECT_EQ(entry.name, GetParam());
  EXPECT_EQ(entry.registers, 168) << "384 threads share the 65536 registers at entry";
  EXPECT_EQ(entry.spill_stores + entry.spill_loads + entry.stack_bytes, 0) << cubin.log;
  EXPECT_LT(cubin.milliseconds, 10000);
  const Cubin again = compile_kernel(std::string(GetParam()) + ".cu", read_text(path), "sm_90a");
  EXPECT_EQ(again.image, cubin.image) << "a cache of cubins needs equal bytes for equal text";
  EXPECT_EQ(again.facts.entries.size(), 1u)
      << "what ptxas says is heard each time, whatever NVRTC keeps: " << again.log;
}
INSTANTIATE_TEST_SUITE_P(Kernels, CudaKernelText, testing::Values("gemm_bf16", "attention_causal", "attention_full"));

TEST_F(CudaCompile, EachFileOfTheDeviceHeaderStandsAlone) {
  for (const DeviceHeaderFile& file : device_header()) {
    const std::string text = fmt::format("#include \"{}\"\nextern \"C\" __global__ void nothing() {{}}\n", file.name);
    EXPECT_EQ(refusals(text), "") << file.name;
  }
}

TEST_F(CudaCompile, ErrorsShowTheLine) {
  try {
    compile_kernel("edited.cu", "extern \"C\" __global__ void f(float* x) {\n  x[0] = y;\n}\n", "sm_90a");
    FAIL() << "this is no C++";
  } catch (const CompileError& error) {
    EXPECT_EQ(error.code(), "T-C002");
    EXPECT_NE(std::string(error.what()).find("edited.cu(2): error"), std::string::npos) << error.what();
  }
}

TEST_F(CudaCompile, SpillsAreRefused) {
  const std::string spills = R"(
extern "C" __global__ void __launch_bounds__(1024, 1) spills(float* x, int rounds) {
  float v[96];
  for (int i = 0; i < 96; ++i) v[i] = x[i * 1024 + threadIdx.x];
  for (int round = 0; round < rounds; ++round)
    for (int i = 0; i < 96; ++i) v[i] += v[(i + 1) % 96];
  for (int i = 0; i < 96; ++i) x[i * 1024 + threadIdx.x] = v[i];
}
)";
  EXPECT_NE(refusals(spills).find("spills keeps values in memory"), std::string::npos) << refusals(spills);
  EXPECT_THROW(compile_kernel("planted.cu", spills, "sm_90a"), CompileError);
}

TEST_F(CudaCompile, IgnoredRegisterCountsAreRefused) {
  const std::string text = R"(
#include "tile.cuh"
extern "C" __global__ void unbounded(float* x) {
  tessera::take_registers<240>();
  x[threadIdx.x] = 1;
}
)";
  EXPECT_NE(refusals(text).find("setmaxnreg"), std::string::npos) << refusals(text);
}

// Reads the accumulator between issue and wait: ptxas would wait earlier than the text says.
TEST_F(CudaCompile, SerialisedProductsAreRefused) {
  const std::string text = R"(
#include "tile.cuh"
namespace tessera {
struct Shared { Tile<bf16, 64, 64> a; Tile<bf16, 64, 64> b; };
extern "C" __global__ void __launch_bounds__(128, 1) early(float* x) {
  Shared& shared = shared_memory<Shared>();
  Fragment<64> d(0.f);
  mma_abt(d, shared.a, shared.b, false);
  x[threadIdx.x] = d.v[3];
  mma_wait<0>(d);
  x[threadIdx.x + 128] = d.v[3];
}
}
)";
  EXPECT_NE(refusals(text).find("(C75"), std::string::npos) << refusals(text);
}

TEST(CudaCompileLog, FactsAndRefusalsAreRead) {
  const CompileLog log = read_compile_log(
      "ptxas info    : 113 bytes gmem\n"
      "ptxas info    : Compiling entry function 'gemm' for 'sm_90a'\n"
      "ptxas info    : Function properties for gemm\n"
      "ptxas         .     8 bytes stack frame, 4 bytes spill stores, 12 bytes spill loads\n"
      "ptxas info    : Used 168 registers, used 16 barriers\n"
      "ptxas info    : (C7510) Potential Performance Loss: wgmma.mma_async instructions are serialized\n"
      "ptxas info    : Compile time = 144.363 ms\n");
  ASSERT_EQ(log.entries.size(), 1u);
  EXPECT_EQ(log.entries[0].name, "gemm");
  EXPECT_EQ(log.entries[0].registers, 168);
  EXPECT_EQ(log.entries[0].stack_bytes, 8);
  EXPECT_EQ(log.entries[0].spill_stores, 4);
  EXPECT_EQ(log.entries[0].spill_loads, 12);
  ASSERT_EQ(log.refused.size(), 2u);
  EXPECT_NE(log.refused[1].find("C7510"), std::string::npos);
  EXPECT_FALSE(log.only_spills);
}

TEST(CudaCompileLog, RegistersKeptInMemoryAreKnownFromWorse) {
  const CompileLog log = read_compile_log(
      "ptxas info    : Compiling entry function 'rows' for 'sm_90a'\n"
      "    8 bytes stack frame, 8 bytes spill stores, 8 bytes spill loads\n"
      "ptxas warning : Registers are spilled to local memory in function 'rows', 8 bytes spill stores\n");
  EXPECT_EQ(log.refused.size(), 2u);
  EXPECT_TRUE(log.only_spills);
}

TEST(CudaCompileLog, AStackIsAllowedToRowsAndASpillIsNot) {
  const std::string begin =
      "ptxas info    : Compiling entry function 'sin' for 'sm_90a'\n"
      "    40 bytes stack frame, ";
  EXPECT_TRUE(read_compile_log(begin + "0 bytes spill stores, 0 bytes spill loads\n", Stack::allowed).refused.empty());
  EXPECT_FALSE(read_compile_log(begin + "0 bytes spill stores, 0 bytes spill loads\n").refused.empty());
  EXPECT_FALSE(read_compile_log(begin + "4 bytes spill stores, 4 bytes spill loads\n", Stack::allowed).refused.empty());
}

TEST(CudaLibrary, MissingIsOneClearLine) {
  try {
    Library("the thing", {"libnothere.so.1"}, {"/nowhere"}, "install it");
    FAIL() << "there is no such library";
  } catch (const DeviceError& error) {
    EXPECT_EQ(error.text().fault, "the thing is not there: no libnothere.so.1 could be opened");
    EXPECT_EQ(error.text().hint, "install it");
  }
}

}  // namespace
}  // namespace tessera::cuda
