// Every op that has CUDA kernels against the reference: dtypes × shapes, forward and backward. Built twice: for the card, and
// for the processor, which runs the same texts (tests/codegen/cuda_rows/host_run.h).

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <set>
#include <string_view>

#include <tessera/autograd/grad.h>
#include <tessera/codegen/cuda/executor/lower_program.h>
#include <tessera/codegen/cuda/runtime/compiler.h>
#include <tessera/core/error.h>
#include <tessera/core/executor.h>
#include <tessera/core/ops.h>

#include "tests/codegen/cuda_contract/programs.h"
#include "tests/codegen/cuda_rows/host_executor.h"
#include "tests/codegen/cuda_rows/programs.h"
#include "tests/ops/op_cases.h"
#include "tests/support/compare_executors.h"
#include "tests/support/host_data.h"

namespace tessera::testing {
namespace {

Executor& tested() {
#ifdef TESSERA_CUDA_ON_HOST
  static HostExecutor host;
  return host;
#else
  return *find_executor("cuda");
#endif
}

Tolerance tolerance_of(Op op) {
  const Family family = row(op).family;
  const bool sums = family == Family::Reduce || family == Family::Contract || family == Family::Raised ||
                    family == Family::Window || family == Family::Index;
  return {sums ? 32.0 : 8.0};
}

// Lowers by itself, so that one case without a kernel does not hide the others.
bool has_kernels(const Tensor& value, std::string& why) {
  std::vector<NodePtr> captured;
  try {
    cuda::lower_program(flatten({}, {value.node()}, false, &captured), {});
    return true;
  } catch (const DeviceError& refused) {
    EXPECT_EQ(refused.code(), "T-X010") << refused.what();
    why = refused.what();
    return false;
  }
}

// Why the tested executor cannot run here; "" where it can.
std::string missing() {
#ifndef TESSERA_CUDA_ON_HOST
  Tensor x = ones({4});
  std::vector<NodePtr> captured;
  try {
    tested().compile(flatten({}, {(x + x).node()}, false, &captured));
  } catch (const DeviceError& error) {
    if (error.code() == "T-X010") throw;
    return error.what();
  }
#endif
  return "";
}

class CudaSweep : public ::testing::TestWithParam<Op> {
 protected:
  void SetUp() override {
    if (std::string why = missing(); !why.empty()) GTEST_SKIP() << why;
  }
};

TEST_P(CudaSweep, agrees_with_the_reference) {
  Draw draw(7);
  std::vector<Checked> all, checked;
  for (const Case& c : cases_of(GetParam())) {
    all.push_back({c.name, c.output, tolerance_of(GetParam())});
    std::vector<Tensor> wrt;
    for (const Tensor& x : c.inputs)
      if (is_float(x.dtype()) && !is_storage_only(x.dtype())) wrt.push_back(x);
    if (!c.differentiable || wrt.empty() || is_storage_only(c.output.dtype())) continue;
    Tensor weight = random_tensor(draw, c.output.dtype(), c.output.shape(), {0.5, 1.5});
    std::vector<Tensor> gradients = grad(sum(c.output * weight), wrt);
    for (size_t i = 0; i < wrt.size(); ++i)
      all.push_back({c.name + " gradient " + std::to_string(i), gradients[i], {64}});
  }
  std::string why;
  for (const Checked& c : all)
    if (has_kernels(c.value, why)) checked.push_back(c);
  std::printf("%-22s %4zu of %4zu values have kernels\n", std::string(name(GetParam())).c_str(), checked.size(),
              all.size());
  EXPECT_EQ(checked.size(), all.size()) << why;
  for (const std::string& line : differences(checked, tested(), reference_executor())) ADD_FAILURE() << line;
}

std::vector<Op> all_ops() {
  std::vector<Op> ops;
  for (const OpRow& r : op_table()) ops.push_back(r.op);
  return ops;
}

INSTANTIATE_TEST_SUITE_P(ops, CudaSweep, ::testing::ValuesIn(all_ops()),
                         [](const auto& op) { return std::string(name(op.param)); });

// ---- whole kernels that wait for memory ----

struct RowSize {
  int64_t rows, columns;
  DType dtype;
};

class CudaRows : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (std::string why = missing(); !why.empty()) GTEST_SKIP() << why;
  }
};

// Ragged and whole vectors, one warp and many, rows in registers, in a loop and in several blocks, sorts of each length.
TEST_P(CudaRows, agree_with_the_reference_in_the_same_bits_each_time) {
  for (const RowSize& size : {RowSize{33, 1024, bf16}, RowSize{70, 77, f32}, RowSize{1, 4096, f16},
                              RowSize{300, 8, f32}, RowSize{3, 33000, f32}, RowSize{40, 320, f32}}) {
    Draw draw(11);
    RowProgram made = row_program(GetParam(), size.rows, size.columns, size.dtype,
                                  [&](const std::string& name, DType dtype, const Shape& shape) {
                                    return random_input(draw, name, dtype, shape);
                                  });
    const std::string what = std::to_string(size.rows) + " x " + std::to_string(size.columns);
    const std::shared_ptr<Executable> executable = tested().compile(made.program);
    std::vector<BufferPtr> data = made.arguments, again = made.arguments, for_reference = made.arguments;
    std::vector<BufferPtr> first = executable->run(made.program, data), second = executable->run(made.program, again);
    std::vector<BufferPtr> expected = reference_executor().compile(made.program)->run(made.program, for_reference);
    EXPECT_EQ(kernel_differences(made.results, first, expected, 8), "") << what;
    for (size_t k = 0; k < first.size(); ++k)
      EXPECT_EQ(std::memcmp(first[k]->data(), second[k]->data(), first[k]->bytes()), 0) << what;
  }
}

INSTANTIATE_TEST_SUITE_P(programs, CudaRows, ::testing::ValuesIn(row_program_names()),
                         [](const auto& name) { return name.param; });

// ---- contractions with their epilogues, in ragged sizes: every tile, tail and part ----

class CudaContract : public CudaRows {};

TEST_P(CudaContract, agrees_with_the_reference_in_the_same_bits_each_time) {
  for (DType dtype : {f32, bf16, f16, f64}) {
    Draw draw(17);
    RowProgram made = contract_program(
        GetParam(), Size::ragged, dtype,
        [&](const std::string&, DType type, const Shape& shape) { return random_tensor(draw, type, shape, {-1, 1}); });
    std::shared_ptr<Executable> executable = tested().compile(made.program);
    std::vector<BufferPtr> data = made.arguments, again = made.arguments, for_reference = made.arguments;
    std::vector<BufferPtr> first = executable->run(made.program, data), second = executable->run(made.program, again);
    std::vector<BufferPtr> expected = reference_executor().compile(made.program)->run(made.program, for_reference);
    EXPECT_EQ(kernel_differences(made.results, first, expected), "") << name(dtype);
    for (size_t k = 0; k < first.size(); ++k)
      EXPECT_EQ(std::memcmp(first[k]->data(), second[k]->data(), first[k]->bytes()), 0) << name(dtype);
  }
}

INSTANTIATE_TEST_SUITE_P(programs, CudaContract, ::testing::ValuesIn(contract_program_names()),
                         [](const auto& name) { return name.param; });

#ifdef TESSERA_CUDA_ON_HOST
// All kernels of an op as one text through NVRTC, where there is one: what the processor's compiler takes is not all that
// counts.
TEST_P(CudaSweep, compiles_for_a_card) {
  try {
    cuda::compiler_version();
  } catch (const DeviceError&) {
    GTEST_SKIP() << "no NVRTC on this host";
  }
  constexpr size_t most = 50;  // in one text: the constants of their launches, 1 KiB each, have 64 KiB together
  std::string text, why;
  size_t kernels = 0;
  auto compile = [&] {
    if (kernels == 0) return;
    const cuda::Cubin cubin =
        cuda::compile_kernel("sweep.cu", text, "sm_80", cuda::OnRefusal::report, cuda::TextOf::rows);
    for (const std::string& line : cubin.facts.refused) ADD_FAILURE() << line;
    EXPECT_EQ(cubin.facts.entries.size(), kernels);
    text.clear(), kernels = 0;
  };
  std::set<std::string> seen;
  for (const Case& c : cases_of(GetParam())) {
    if (!has_kernels(c.output, why)) continue;
    std::vector<NodePtr> captured;
    for (const cuda::KernelSource& kernel :
         cuda::lower_program(flatten({}, {c.output.node()}, false, &captured), {}).kernels) {
      if (!seen.insert(kernel.name).second) continue;
      text += kernel.text, ++kernels;
      if (kernels == most) compile();
    }
  }
  compile();
}

// What only sizes bring about that are beyond those above: indices sorted in tiles, long rows and columns in parts.
struct Large {
  const char* program;
  int64_t rows, columns;
  DType dtype;
};

class CudaRowsLarge : public ::testing::TestWithParam<Large> {};

TEST_P(CudaRowsLarge, agree_with_the_reference) {
  Draw draw(17);
  const Large& size = GetParam();
  RowProgram made = row_program(
      size.program, size.rows, size.columns, size.dtype,
      [&](const std::string& name, DType dtype, const Shape& shape) { return random_input(draw, name, dtype, shape); });
  const std::vector<BufferPtr> first = run_on_host(cuda::lower_program(made.program, {}), made.program, made.arguments);
  std::vector<BufferPtr> for_reference = made.arguments;
  const auto expected = reference_executor().compile(made.program)->run(made.program, for_reference);
  EXPECT_EQ(kernel_differences(made.results, first, expected), "");
}

INSTANTIATE_TEST_SUITE_P(
    programs, CudaRowsLarge,
    ::testing::Values(
        Large{"embedding_backward", 40000, 8, f32}, Large{"argmax", 2, 70000, f32}, Large{"argsort", 2, 40000, bf16},
        Large{"cumsum", 1, 90000, f32}, Large{"cumsum_reversed", 2, 70000, f32}, Large{"cumsum_columns", 5000, 3, f32},
        Large{"softmax", 1, 200000, f32}, Large{"total", 300, 1000, f32}, Large{"layer_norm_backward", 2, 40000, f32},
        // several rows in a warp, with one block that adds up parts and with a kernel
        Large{"column_sum", 3000, 24, bf16}, Large{"batch_norm_sums", 3000, 64, bf16}, Large{"total", 3000, 3, f32},
        Large{"batch_norm_sums", 17000, 128, bf16}, Large{"row_dots", 512, 64, bf16}, Large{"softmax", 256, 36, f32},
        Large{"rms_norm", 384, 5, f32}, Large{"softmax_backward", 192, 80, bf16}, Large{"argmax", 128, 24, f32},
        Large{"row_dots", 257, 64, f16},
        // groups side by side in a block
        Large{"layer_norm_backward", 4100, 520, bf16}, Large{"rms_norm_backward", 4100, 260, f32},
        Large{"stream_norm_backward", 4100, 520, bf16}, Large{"kept_norm_backward", 4100, 520, bf16},
        // in one walk, in shared memory, too long for it
        Large{"cross_entropy", 140, 33000, bf16}, Large{"cross_entropy_backward", 132, 33000, bf16},
        Large{"cross_entropy_step", 140, 33000, bf16}, Large{"softmax_backward", 132, 32776, bf16},
        Large{"softmax", 132, 32769, f32}, Large{"softmax", 132, 51000, bf16}),
    [](const auto& large) {
      return std::string(large.param.program) + "_" + std::to_string(large.param.rows) + "_" +
             std::to_string(large.param.columns);
    });

// Writes `to` where a text says `from` first. In how many texts?
size_t plant(cuda::LoweredProgram& lowered, std::string_view from, std::string_view to) {
  size_t planted = 0;
  for (cuda::KernelSource& kernel : lowered.kernels) {
    const size_t at = kernel.text.find(from);
    if (at == std::string::npos) continue;
    kernel.text.replace(at, from.size(), to);
    ++planted;
  }
  return planted;
}

// Texts that only such sizes have: one walk over a long row, groups of warps side by side.
struct PlantedLarge {
  Large size;
  const char *from, *to;
};

class CudaLargePlanted : public ::testing::TestWithParam<PlantedLarge> {};

TEST_P(CudaLargePlanted, is_found) {
  Draw draw(23);
  const auto& [size, from, to] = GetParam();
  RowProgram made = row_program(
      size.program, size.rows, size.columns, size.dtype,
      [&](const std::string& name, DType dtype, const Shape& shape) { return random_input(draw, name, dtype, shape); });
  cuda::LoweredProgram lowered = cuda::lower_program(made.program, {});
  const std::vector<BufferPtr> right = run_on_host(lowered, made.program, made.arguments);
  ASSERT_EQ(plant(lowered, from, to), 1u) << "the text no longer says " << from;
  const std::vector<BufferPtr> wrong = run_on_host(lowered, made.program, made.arguments);
  EXPECT_NE(kernel_differences(made.results, wrong, right), "");
}

constexpr Large narrow{"batch_norm_sums", 3000, 64, bf16}, long_rows{"cross_entropy", 140, 33000, bf16},
    tokens{"cross_entropy_step", 140, 33000, bf16}, groups{"layer_norm_backward", 4100, 520, bf16},
    f32_groups{"rms_norm_backward", 4100, 260, f32}, ahead{"stream_norm_backward", 4100, 520, bf16},
    kept{"kept_norm_backward", 4100, 520, bf16}, short_rows{"softmax", 256, 36, f32};
INSTANTIATE_TEST_SUITE_P(
    texts, CudaLargePlanted,
    ::testing::Values(PlantedLarge{short_rows, "across_lanes<Sum, 16>", "across_lanes<Sum, 8>"},
                      PlantedLarge{short_rows, "across_lanes<Max, 16>", "across_lanes<Sum, 16>"},
                      PlantedLarge{short_rows, "threadIdx.x) / 16;", "threadIdx.x) / 32;"},
                      PlantedLarge{narrow, "across_rows<Sum", "across_rows<Max"},
                      PlantedLarge{narrow, "threadIdx.x) / 8;", "threadIdx.x) / 32;"},
                      PlantedLarge{narrow, "wide_2 - mean_columns[0][i]", "wide_2"},
                      PlantedLarge{long_rows, "sum_part_1 * rescale(highest_part_1, highest_now_1)", "sum_part_1"},
                      PlantedLarge{long_rows, "sum_part_1 * rescale(highest_part_1, highest_1)", "sum_part_1"},
                      PlantedLarge{long_rows, "highest_part_1 = highest_now_1;", ""},
                      PlantedLarge{tokens, "wait_for_groups<0>();", ""},
                      PlantedLarge{tokens, "column + i == picked_1", "column == picked_1"},
                      PlantedLarge{tokens, "sum_1 = widen(logits[", "sum_1 = widen(logits[1 + "},
                      PlantedLarge{groups, "across_groups<Sum", "across_groups<Max"},
                      PlantedLarge{groups, " * 2 + of_block", " * 2"},
                      PlantedLarge{ahead, "bring(group, 0);", "bring(group, 1);"},
                      PlantedLarge{ahead, "slot ^ 1);  // while", "slot);  // while"},
                      PlantedLarge{ahead, "stream_ahead[of_block][slot][c][t], stream +",
                                   "stream_ahead[of_block][slot][0][t], stream +"},
                      PlantedLarge{f32_groups, "taken<Sum>(sum_part_1_slots[slot][of_block])",
                                   "taken<Sum>(sum_part_1_slots[slot][0])"},
                      PlantedLarge{kept, "mean_next = mean[row]", "mean_next = mean[0]"},
                      PlantedLarge{f32_groups, "group_sync<96>(of_block);", ""}),
    [](const auto& planted) { return std::to_string(planted.index) + "_" + planted.param.size.program; });

// What a wrong text would be: each change must be seen, or running texts here proves nothing.
struct Planted {
  const char *program, *from, *to;
};

class CudaRowsPlanted : public ::testing::TestWithParam<Planted> {};

TEST_P(CudaRowsPlanted, is_found) {
  Draw draw(13);
  RowProgram made =
      row_program(GetParam().program, 70, 1540, f32, [&](const std::string& name, DType dtype, const Shape& shape) {
        return random_input(draw, is_float(dtype) ? "v" : name, dtype, shape);
      });
  cuda::LoweredProgram lowered = cuda::lower_program(made.program, {});
  const std::vector<BufferPtr> right = run_on_host(lowered, made.program, made.arguments);
  ASSERT_GT(plant(lowered, GetParam().from, GetParam().to), 0u) << "the text no longer says " << GetParam().from;
  const std::vector<BufferPtr> wrong = run_on_host(lowered, made.program, made.arguments);
  EXPECT_NE(kernel_differences(made.results, wrong, right), "");
}

INSTANTIATE_TEST_SUITE_P(
    texts, CudaRowsPlanted,
    ::testing::Values(
        Planted{"layer_norm", "if (column < 1540)", "if (column < 1536)"},
        Planted{"layer_norm", "across_block<Sum", "across_block<Max"}, Planted{"layer_norm", " * 4;", " * 4 + 4;"},
        Planted{"softmax", "across_block<Sum", "across_block<Max"},
        Planted{"layer_norm_backward", "row += ", "row += 1 + "},
        Planted{"layer_norm_backward", "row = group;", "row = 1 + group;"},
        Planted{"column_sum", "(group / 8) * 1540", "(group / 8) * 1539"},
        Planted{"rms_norm_backward", "every_part<Sum", "every_part<Product"},
        Planted{"adamw", "= ::sqrtf", "= ::fabsf"}, Planted{"dropout", "(i64(0), 0x", "(i64(1), 0x"},
        Planted{"argmax", "find_in_row<Largest", "find_in_row<Smallest"},
        Planted{"argmax", "begin + 1540", "begin + 700"},
        Planted{"argsort", "argsort_in_block<true", "argsort_in_block<false"},
        Planted{"cross_entropy", "const int column = place_1;", "const int column = place_1 + 1;"},
        Planted{"cross_entropy_backward", "+ i == place_1", "+ i == place_1 - 1"},
        Planted{"layer_norm_backward", "= -mul_", "= mul_"}, Planted{"argsort", ", 1540, 1", ", 1539, 1"},
        Planted{"cumsum", "scan_row<Sum", "scan_row<Max"}, Planted{"cumsum", ", 1540, 1}", ", 1540, 2}"},
        Planted{"cumsum_reversed", "x + start, 1540", "x + start, 1539"},
        Planted{"cumsum_columns", "scan_parts_of_lanes<Sum", "scan_parts_of_lanes<Max"},
        Planted{"cumsum_columns", ", 70, 1540, ", ", 69, 1540, "},
        Planted{"embedding_backward", "combine_chunk<Sum", "combine_chunk<Max"},
        Planted{"embedding_backward", "tails + place, 1540);", "tails + place, 1536);"},
        Planted{"embedding_backward", "first, heads + place", "first + 16, heads + place"},
        Planted{"embedding_backward", ") * 16;", ") * 15;"}, Planted{"total", "_part[blockIdx.x]", "_part[group]"},
        Planted{"total", "is_last_block<", "is_last_block<1 + "}, Planted{"column_sum", "arrived + split", "arrived"},
        Planted{"column_sum", "across_rows<Sum>(sum_of_rows_1[0], sum_of_rows_1_slots);\n  if (",
                "sum_of_rows_1[0];\n  if ("},
        Planted{"update_rows", "= clamped(", "= 7 + clamped("}),
    [](const auto& planted) { return std::to_string(planted.index) + "_" + planted.param.program; });

// What counts blocks is 0 again when all have ended: the next launch finds it so.
class CudaCounters : public ::testing::TestWithParam<const char*> {};

TEST_P(CudaCounters, are_as_they_were) {
  Draw draw(29);
  RowProgram made = row_program(
      GetParam(), 1000, 40, f32,
      [&](const std::string& name, DType dtype, const Shape& shape) { return random_input(draw, name, dtype, shape); });
  const cuda::LoweredProgram lowered = cuda::lower_program(made.program, {});
  const std::string before = lowered.plan.constants;
  EXPECT_NE(before, "");
  const std::vector<BufferPtr> once = run_on_host(lowered, made.program, made.arguments);
  EXPECT_EQ(lowered.plan.constants, before);
  const std::vector<BufferPtr> twice = run_on_host(lowered, made.program, made.arguments);
  for (size_t k = 0; k < once.size(); ++k)
    EXPECT_EQ(std::memcmp(once[k]->read(), twice[k]->read(), once[k]->bytes()), 0);
}

INSTANTIATE_TEST_SUITE_P(programs, CudaCounters,
                         ::testing::Values("total", "column_sum", "layer_norm_backward", "cumsum_columns"),
                         [](const auto& program) { return std::string(program.param); });

// The same for contractions: in their texts, and in what the device header does for all of them.
struct PlantedInContract {
  const char *program, *file, *from, *to;  // file "": the kernels' texts
  DType dtype = f32;
};

class CudaContractPlanted : public ::testing::TestWithParam<PlantedInContract> {};

TEST_P(CudaContractPlanted, is_found) {
  const PlantedInContract& planted = GetParam();
  Draw draw(19);
  RowProgram made = contract_program(
      planted.program, Size::ragged, planted.dtype, [&](const std::string&, DType type, const Shape& shape) {
        return random_tensor(draw, type, shape, planted.dtype == f32 ? Domain{1, 2} : Domain{-1, 1});
      });
  cuda::LoweredProgram lowered = cuda::lower_program(made.program, {});
  const std::vector<BufferPtr> right = run_on_host(lowered, made.program, made.arguments);
  const bool in_text = std::string_view(planted.file).empty();
  size_t changed = 0;
  for (cuda::KernelSource& kernel : lowered.kernels) {
    const size_t at = in_text ? kernel.text.find(planted.from) : std::string::npos;
    if (at == std::string::npos) continue;
    kernel.text.replace(at, std::strlen(planted.from), planted.to);
    ++changed;
  }
  ASSERT_EQ(changed > 0, in_text) << "the text no longer says " << planted.from;
  const HeaderEdit edit = in_text ? HeaderEdit{} : HeaderEdit{planted.file, planted.from, planted.to};
  const std::vector<BufferPtr> wrong = run_on_host(lowered, made.program, made.arguments, edit);
  EXPECT_NE(kernel_differences(made.results, wrong, right), "");
}

INSTANTIATE_TEST_SUITE_P(
    texts, CudaContractPlanted,
    ::testing::Values(
        PlantedInContract{"linear_gelu", "", "k_end = 45", "k_end = 44"},
        PlantedInContract{"linear_gelu", "", "shared.b[slot], k,", "shared.b[0], k,"},
        PlantedInContract{"conv", "", "k / 3 % 3", "k / 3 % 2"},
        PlantedInContract{"scores", "", "batch / 3", "batch / 2"},
        PlantedInContract{"weight_gradient", "", "k_first + step * ", "step * "},
        PlantedInContract{"linear_gelu", "sums.cuh", "wait_for_groups<stages - 2>", "wait_for_groups<stages - 1>"},
        PlantedInContract{"linear_gelu", "sums.cuh", "(step % stages)", "(0)"},
        PlantedInContract{"linear_gelu", "panel.cuh", "first + k < end;", "first + k <= end;"},
        PlantedInContract{"linear_gelu", "panel.cuh", "1u << i : 0", "1u : 0"},
        PlantedInContract{"linear_gelu", "mma_sums.cuh", "mma_tf32(d[i][j], small, y_big[j])", "(void)0"},
        PlantedInContract{"linear_gelu", "mma_sums.cuh", "sums_[i][j][r] += step", "sums_[i][j][r] = step"},
        PlantedInContract{"scores", "mma_sums.cuh", "r / 2 * 4)", "r / 2 * 3)"},
        PlantedInContract{"scores", "mma_sums.cuh", "(k_first ? fourth : second)", "(k_first ? second : fourth)", bf16},
        PlantedInContract{"tiny_ones", "mma_sums.cuh", "h * 8, column(", "h * 7, column("},
        PlantedInContract{"linear_gelu", "panel.cuh", "line + i * step : place);", "line : place);"}),
    [](const auto& planted) { return std::to_string(planted.index) + "_" + planted.param.program; });
#endif

}  // namespace
}  // namespace tessera::testing
