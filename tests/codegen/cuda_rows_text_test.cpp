// Row kernels as CUDA C++ without a GPU: their texts are those of the files beside, and NVRTC makes of each what its schedule
// says, on every architecture. What has no kernel yet is refused by name.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <tessera/codegen/cuda/executor/lower_program.h>
#include <tessera/codegen/cuda/rows/names.h>
#include <tessera/codegen/cuda/runtime/compiler.h>
#include <tessera/core/error.h>
#include <tessera/core/executor.h>
#include <tessera/core/ops.h>

#include "tests/codegen/cuda_rows/programs.h"

namespace tessera::cuda {
namespace {

namespace fs = std::filesystem;

// Memory that nobody reads: only its shape counts here.
Tensor unread(const std::string&, DType dtype, const Shape& shape) {
  return tensor_from(std::make_shared<tessera::Buffer>(static_cast<size_t>(shape.numel()) * size_of(dtype)), dtype,
                     shape);
}

LoweredProgram lowered(const std::string& name, int64_t rows, int64_t columns, DType dtype) {
  return lower_program(testing::row_program(name, rows, columns, dtype, unread).program, {});
}

std::string text_of(const LoweredProgram& program) {
  std::string all;
  for (const KernelSource& kernel : program.kernels) all += (all.empty() ? "" : "\n") + kernel.text;
  return all;
}

std::string read(const fs::path& path) {
  std::ostringstream all;
  all << std::ifstream(path).rdbuf();
  return all.str();
}

class CudaRowsText : public ::testing::TestWithParam<std::string> {};

void expect_golden(const LoweredProgram& program, const std::string& name) {
  const std::string text = text_of(program);
  const fs::path actual = fs::path(TESSERA_CUDA_ACTUAL) / (name + ".cu");
  fs::create_directories(actual.parent_path());
  std::ofstream(actual) << text;
  EXPECT_EQ(text, read(fs::path(TESSERA_CUDA_ROWS) / (name + ".cu"))) << "what it is now: " << actual;
}

void expect_no_spills(const LoweredProgram& program) {
  for (const KernelSource& kernel : program.kernels) {
    for (const char* architecture : {"sm_80", "sm_89", "sm_90a"}) {
      const Cubin cubin =
          compile_kernel(kernel.name + ".cu", kernel.text, architecture, OnRefusal::report, TextOf::rows);
      EXPECT_THAT(cubin.facts.refused, ::testing::IsEmpty()) << architecture << "\n" << kernel.text;
      ASSERT_EQ(cubin.facts.entries.size(), 1u) << cubin.log;
      EXPECT_EQ(cubin.facts.entries[0].spill_stores + cubin.facts.entries[0].spill_loads, 0) << cubin.log;
    }
  }
}

TEST_P(CudaRowsText, is_the_golden_one) { expect_golden(lowered(GetParam(), 16384, 4096, bf16), GetParam()); }

TEST_P(CudaRowsText, compiles_to_its_schedule_everywhere) {
  try {
    compiler_version();
  } catch (const DeviceError&) {
    GTEST_SKIP() << "no NVRTC on this host";
  }
  struct Size {
    int64_t rows, columns;
    DType dtype;
  };
  for (const Size& size : {Size{16384, 4096, bf16}, Size{300, 77, f32}, Size{5, 50304, f16}, Size{64, 768, f64}}) {
    expect_no_spills(lowered(GetParam(), size.rows, size.columns, size.dtype));
  }
}

INSTANTIATE_TEST_SUITE_P(programs, CudaRowsText, ::testing::ValuesIn(testing::row_program_names()),
                         [](const auto& name) { return name.param; });

// Rows that leave no room for a second block in registers: in one walk, or held in shared memory.
class CudaLongRowsText : public ::testing::TestWithParam<std::string> {};

TEST_P(CudaLongRowsText, is_the_golden_one_and_compiles_everywhere) {
  const LoweredProgram program = lowered(GetParam(), 8192, 50304, bf16);
  expect_golden(program, GetParam() + "_long");
  try {
    compiler_version();
  } catch (const DeviceError&) {
    GTEST_SKIP() << "no NVRTC on this host";
  }
  expect_no_spills(program);
}

INSTANTIATE_TEST_SUITE_P(programs, CudaLongRowsText,
                         ::testing::Values("cross_entropy", "cross_entropy_backward", "cross_entropy_step", "softmax"),
                         [](const auto& name) { return name.param; });

// A label may be the name of what texts define for themselves where rows are brought ahead, or are walked by columns.
TEST(CudaNames, are_none_of_the_text) {
  for (const char* word : {"ask", "bring", "of_block"}) EXPECT_NE(Names().identifier(word), word);
}

// What adds up the parts of a kernel begins while that one ends, where a card can wait for that, and reads nothing before.
TEST(CudaEarlyText, waits_first_and_only_where_a_card_can) {
  const testing::RowProgram made = testing::row_program("layer_norm_backward", 16384, 4096, bf16, unread);
  for (const char* architecture : {"", "sm_80", "sm_89"})
    EXPECT_THAT(text_of(lower_program(made.program, {architecture})),
                ::testing::Not(::testing::HasSubstr("launch_before")));
  const LoweredProgram program = lower_program(made.program, {"sm_90a"});
  ASSERT_EQ(program.kernels.size(), 2u);
  EXPECT_THAT(program.kernels[0].text, ::testing::Not(::testing::HasSubstr("early")));
  const std::string& text = program.kernels[1].text;
  const size_t wait = text.find("  wait_for_launch_before(part, part_2);\n"), read = text.find("part["),
               stop = text.find("return");
  EXPECT_THAT(text, ::testing::HasSubstr("_launch = early({"));
  ASSERT_NE(wait, std::string::npos) << text;
  EXPECT_LT(wait, read);
  EXPECT_LT(wait, stop);
  try {
    const Cubin cubin = compile_kernel("parts.cu", text, "sm_90a", OnRefusal::fail, TextOf::rows);
    EXPECT_EQ(cubin.facts.entries[0].spill_stores, 0);
  } catch (const DeviceError& missing) {
    GTEST_SKIP() << missing.what();
  }
}

// 1 + tanh and 1 − tanh² come from a sigmoid unless the tanh itself, or its square, is read too.
TEST(CudaTanhText, is_a_sigmoid_where_only_sums_with_one_are_read) {
  Tensor x = unread("x", f32, {4096});
  auto text = [&](std::vector<Tensor> results) {
    std::vector<NodePtr> captured, outputs;
    for (const Tensor& result : results) outputs.push_back(result.node());
    return text_of(lower_program(flatten({}, outputs, false, &captured), {"sm_90a"}));
  };
  const auto by_sigmoid =
      ::testing::AllOf(::testing::HasSubstr("= sigmoid(2.f * "), ::testing::Not(::testing::HasSubstr("::tanhf")));
  const auto as_it_is =
      ::testing::AllOf(::testing::HasSubstr("::tanhf("), ::testing::Not(::testing::HasSubstr("sigmoid")));
  EXPECT_THAT(text({x * (1 + tanh(x))}), by_sigmoid);
  EXPECT_THAT(text({x * (1 - tanh(x) * tanh(x))}), by_sigmoid);
  EXPECT_THAT(text({tanh(x), 1 + tanh(x)}), as_it_is);
  EXPECT_THAT(text({1 - tanh(x) * tanh(x), tanh(x) * tanh(x)}), as_it_is);
  EXPECT_THAT(text({2 + tanh(x)}), as_it_is);
  EXPECT_THAT(text({1 - tanh(x)}), as_it_is);
}

TEST(CudaExecutor, is_there_and_says_what_is_missing) {
  Executor* cuda = find_executor("cuda");
  ASSERT_NE(cuda, nullptr);
  std::vector<NodePtr> captured;
  Tensor x = unread("x", f32, {64});
  try {
    cuda->compile(flatten({}, {(x + x).node()}, false, &captured));
  } catch (const DeviceError& missing) {
    EXPECT_THAT(missing.what(),
                ::testing::AnyOf(::testing::HasSubstr("the CUDA driver is not there"),
                                 ::testing::HasSubstr("sees no device"), ::testing::HasSubstr("NVRTC is not there")));
  }
}

}  // namespace
}  // namespace tessera::cuda
