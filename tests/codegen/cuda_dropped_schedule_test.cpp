// What ptxas does not compile to its schedule has the next one, with a compiler of ours in the place of NVRTC.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>

#include <fmt/format.h>

#include <tessera/codegen/cuda/executor/compile_program.h>
#include <tessera/core/ops.h>

#include "tests/codegen/cuda_contract/programs.h"
#include "tests/codegen/cuda_rows/programs.h"
#include "tests/planes/attention.h"
#include "tests/planes/cuda_planes.h"

namespace tessera::cuda {
namespace {

int refusals = 0;                                      // still to come, of kernels with roles
bool refuses_cascades = true;                          // with roles too
bool has_spills = false;                               // where four blocks have to fit beside each other
std::function<bool(const std::string& text)> refuses;  // by itself, as one that spills

Cubin compile_or_refuse(const std::string&, const std::string& text) {
  Cubin made;
  made.image = "machine code";
  if (has_spills && text.find("__launch_bounds__(256, 4)") != std::string::npos) made.facts.refused = {"spills"};
  if (refuses && refuses(text)) made.facts.refused = {"spills"};
  const bool is_asked_for = text.find("tile.cuh") != std::string::npos ||
                            (refuses_cascades && text.find("wgmma_plane.cuh") != std::string::npos);
  if (!is_asked_for || refusals == 0) return made;
  --refusals;
  made.facts.refused = {"wgmma is serialized"}, made.facts.only_spills = false;
  return made;
}

testing::RowProgram product(int64_t size = 512) {
  return testing::product_program({1, size, size, 512}, [](const std::string&, DType dtype, const Shape& shape) {
    return tensor_from(std::make_shared<Buffer>(static_cast<size_t>(shape.numel()) * size_of(dtype)), dtype, shape);
  });
}

class CudaDroppedSchedule : public ::testing::Test {
 protected:
  CudaDroppedSchedule() {
    setenv("TESSERA_CACHE_DIR", "0", 1);  // a compiler that changes its mind
    use_compiler(compile_or_refuse);
  }

  static int remarks(const CompiledProgram& made) {
    int count = 0;
    for (const ir::Remark& remark : made.lowered.plan.remarks) count += remark.name == "dropped";
    return count;
  }
};

TEST_F(CudaDroppedSchedule, sums_that_spill_have_the_registers_of_one_block) {
  const testing::RowProgram made =
      testing::row_program("column_sum", 4096, 256, bf16, [](const std::string&, DType dtype, const Shape& shape) {
        return tensor_from(std::make_shared<Buffer>(static_cast<size_t>(shape.numel()) * size_of(dtype)), dtype, shape);
      });
  for (bool spills : {false, true}) {
    has_spills = spills;
    const CompiledProgram compiled = compile_afresh(made.program, {"sm_90a"});
    ASSERT_FALSE(compiled.lowered.kernels.empty());
    EXPECT_THAT(compiled.lowered.kernels[0].text,
                ::testing::HasSubstr(spills ? "bounds__(256, 1)" : "bounds__(256, 4)"));
    for (const ir::Remark& remark : compiled.lowered.plan.remarks) EXPECT_NE(remark.name, "spill") << remark.text;
  }
  has_spills = false;
}

TEST_F(CudaDroppedSchedule, the_next_is_taken) {
  const testing::RowProgram made = product();
  for (int dropped : {0, 1, 3}) {
    refusals = dropped;
    const CompiledProgram compiled = compile_afresh(made.program, {"sm_90a"});
    const LoweredProgram expected = lower_program(made.program, {"sm_90a", dropped});
    ASSERT_EQ(compiled.lowered.kernels.size(), expected.kernels.size());
    EXPECT_EQ(compiled.lowered.kernels[0].text, expected.kernels[0].text);
    EXPECT_EQ(compiled.lowered.kernels[0].key, expected.kernels[0].key);
    EXPECT_EQ(compiled.lowered.plan.str(), expected.plan.str());
    EXPECT_EQ(compiled.cubins[0].image, "machine code");
    EXPECT_TRUE(compiled.cubins[0].facts.refused.empty());
    EXPECT_EQ(remarks(compiled), dropped);
  }
}

// K in as many parts is the same plan, so nothing is lowered again.
TEST_F(CudaDroppedSchedule, the_next_is_printed_without_another_lowering) {
  const testing::RowProgram made = product(4096);
  refusals = 3;
  const CompiledProgram compiled = compile_afresh(made.program, {"sm_90a"});
  EXPECT_EQ(remarks(compiled), 3);
  EXPECT_EQ(compiled.lowerings, 1);
  const LoweredProgram first = lower_program(made.program, {"sm_90a"}),
                       expected = lower_program(made.program, {"sm_90a", 3});
  EXPECT_EQ(compiled.lowered.kernels[0].text, expected.kernels[0].text);
  EXPECT_NE(compiled.lowered.plan.str(), first.plan.str());
  EXPECT_EQ(compiled.lowered.plan.str(), expected.plan.str());
}

TEST_F(CudaDroppedSchedule, at_last_the_kernel_of_any_card) {
  const testing::RowProgram made = product();
  refusals = 1000;
  const CompiledProgram compiled = compile_afresh(made.program, {"sm_90a"});
  EXPECT_EQ(compiled.lowered.kernels[0].text.find("tile.cuh"), std::string::npos);
  EXPECT_EQ(remarks(compiled), 1000 - refusals);
  EXPECT_GT(remarks(compiled), 3);
}

TEST_F(CudaDroppedSchedule, at_last_the_cascade_of_any_card) {
  const testing::AttentionProgram attention =
      testing::attention_program("causal", {2, 2, 128, 128, 64}, {"bf16", bf16, bf16, bf16}, 7);
  const Program program = testing::flat({attention.out}, {}).program;
  refusals = 0;
  const CompiledProgram preferred = compile_afresh(program, {"sm_90a"});
  EXPECT_EQ(testing::cascades_with_roles(preferred.lowered), 1);
  refusals = 1000;
  const CompiledProgram compiled = compile_afresh(program, {"sm_90a"});
  const LoweredProgram expected = lower_program(program, {});
  EXPECT_EQ(1000 - refusals, 4);  // of two schedules, and of each with a bound of one block
  EXPECT_EQ(remarks(compiled), 2);
  ASSERT_EQ(compiled.lowered.kernels.size(), expected.kernels.size());
  EXPECT_EQ(compiled.lowered.kernels[0].text, expected.kernels[0].text);
  EXPECT_EQ(compiled.lowered.plan.str(), expected.plan.str());
  EXPECT_NE(compiled.lowered.plan.str(), preferred.lowered.plan.str());
}

// Where groups of rows have not the same to do, those of several batch points begin together.
TEST_F(CudaDroppedSchedule, the_cascade_of_any_card_has_its_batch) {
  auto causal = [](int64_t batch) {
    return testing::attention_program("causal", {batch, 2, 512, 512, 64}, {"bf16", bf16, bf16, bf16}, 7).out;
  };
  const Program program = testing::flat({causal(2), causal(3)}, {}).program;
  refusals = 1000;
  const CompiledProgram compiled = compile_afresh(program, {"sm_90a"});
  refusals = 0;
  const LoweredProgram expected = lower_program(program, {});
  ASSERT_EQ(expected.kernels.size(), 2u);
  ASSERT_EQ(compiled.lowered.kernels.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_THAT(expected.kernels[i].text, ::testing::HasSubstr(i == 0 ? "point = static_cast<int>(blockIdx.x) % 6;"
                                                                      : "point = static_cast<int>(blockIdx.x) % 4;"));
    EXPECT_EQ(compiled.lowered.kernels[i].text, expected.kernels[i].text);
  }
  EXPECT_EQ(compiled.lowered.plan.str(), expected.plan.str());
}

// Two cascades of the same ops and sizes, one of which spills, and a product that has the program lowered again.
TEST_F(CudaDroppedSchedule, a_namesake_keeps_its_own) {
  auto uniform = [](const Shape& shape) {
    return tensor_from(std::make_shared<Buffer>(static_cast<size_t>(shape.numel()) * size_of(bf16)), bf16, shape);
  };
  auto attention = [&](double scale) {
    const Shape shape{8, 256, 64};
    const Tensor scores = einsum("btd,bsd->bts", uniform(shape), uniform(shape)) * scale;
    return einsum("bts,bsd->btd", softmax(scores, -1), uniform(shape));
  };
  const Tensor product = matmul(uniform({512, 512}), uniform({512, 512}));
  std::vector<NodePtr> captured;
  const Program program = flatten({}, {attention(0.3).node(), attention(0.2).node(), product.node()}, false, &captured);

  auto cascades = [](const LoweredProgram& lowered) {
    std::vector<KernelSource> all;
    for (size_t i = 0; i < lowered.kernels.size(); ++i)
      if (lowered.plan.kernels[i].kind == "cascade") all.push_back(lowered.kernels[i]);
    return all;
  };
  const std::vector<KernelSource> first = cascades(lower_program(program, {"sm_90a"}));
  ASSERT_EQ(first.size(), 2u);
  ASSERT_EQ(first[0].name.substr(0, first[0].name.rfind('_')), first[1].name.substr(0, first[1].name.rfind('_')));
  const std::string& text = first[0].text;
  refuses = [from_include = text.substr(text.find("#include "))](const std::string& one) {
    return one.ends_with(from_include);
  };
  refusals = 1000, refuses_cascades = false;
  const CompiledProgram compiled = compile_afresh(program, {"sm_90a"});
  refuses = nullptr, refusals = 0, refuses_cascades = true;
  EXPECT_GT(compiled.lowerings, 1);
  const std::vector<KernelSource> taken = cascades(compiled.lowered);
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_NE(taken[0].text, first[0].text);
  EXPECT_EQ(taken[1].text, first[1].text);
}

// One text for two batches, which differ in their number of blocks alone.
TEST_F(CudaDroppedSchedule, each_batch_has_its_own_number_of_blocks) {
  auto attention = [](int64_t batch) {
    const Shape shape{batch, 192, 64};
    auto uniform = [&] {
      return tensor_from(std::make_shared<Buffer>(static_cast<size_t>(shape.numel()) * size_of(bf16)), bf16, shape);
    };
    return einsum("bts,bsd->btd", softmax(einsum("btd,bsd->bts", uniform(), uniform()), -1), uniform());
  };
  std::vector<NodePtr> captured;
  const Program program = flatten({}, {attention(20).node(), attention(30).node()}, false, &captured);
  auto blocks = [](const LoweredProgram& lowered) {
    std::vector<int64_t> all;
    for (const codegen::PlanLaunch& launch : lowered.plan.launches)
      if (launch.kernel >= 0 && lowered.plan.kernels[static_cast<size_t>(launch.kernel)].kind == "cascade")
        all.push_back(launch.tasks);
    return all;
  };
  const LoweredProgram first = lower_program(program, {"sm_80"});
  ASSERT_EQ(first.kernels.size(), 1u);
  EXPECT_THAT(first.kernels[0].text, ::testing::HasSubstr("4 warps of 32 rows"));
  EXPECT_THAT(blocks(first), ::testing::UnorderedElementsAre(20 * 2, 30 * 2));
  refuses = [](const std::string& text) { return text.find("4 warps of 32 rows") != std::string::npos; };
  const CompiledProgram compiled = compile_afresh(program, {"sm_80"});
  refuses = nullptr;
  ASSERT_EQ(compiled.lowered.kernels.size(), 1u);
  EXPECT_THAT(compiled.lowered.kernels[0].text, ::testing::HasSubstr("4 warps of 16 rows"));
  EXPECT_THAT(blocks(compiled.lowered), ::testing::UnorderedElementsAre(20 * 3, 30 * 3));
}

// A text that ptxas has registers for only when it is changed, and the cubin of the changed one on the disk: whoever finds it
// there has that text.
TEST(CudaChangedText, comes_back_with_its_cubin) {
  const std::string folder = std::filesystem::temp_directory_path() / fmt::format("tessera-changed-text-{}", getpid());
  std::filesystem::create_directories(folder);
  std::filesystem::permissions(folder, std::filesystem::perms::owner_all);
  setenv("TESSERA_CACHE_DIR", folder.c_str(), 1);
  static int compiled = 0;
  use_compiler([](const std::string&, const std::string& text) {
    ++compiled;
    Cubin made;
    made.image = "machine code";
    if (has_spills && text.find("__launch_bounds__(256, 4)") != std::string::npos) made.facts.refused = {"spills"};
    if (text.find("#define TESSERA_ADDRESSES_ANEW\n") == std::string::npos) made.facts.refused = {"8 bytes of spills"};
    return made;
  });
  const testing::RowProgram made = product();
  const CompiledProgram first = compile_afresh(made.program, {"sm_80"});
  const int of_first = compiled;
  EXPECT_EQ(of_first, 2);
  const CompiledProgram second = compile_afresh(made.program, {"sm_80"});
  EXPECT_EQ(compiled, of_first);
  EXPECT_THAT(first.lowered.kernels[0].text, ::testing::HasSubstr("TESSERA_ADDRESSES_ANEW"));
  EXPECT_EQ(second.lowered.kernels[0].text, first.lowered.kernels[0].text);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tessera::cuda
