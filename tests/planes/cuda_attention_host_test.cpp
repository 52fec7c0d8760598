// Attention's derived kernels as CUDA C++, forward and backward, run on the processor (tests/codegen/cuda_rows/host): beside
// f64, with no more error than the same program with planes in memory. What has no kernel yet says so.

#include <cmath>
#include <cstdio>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tessera/codegen/cuda/executor/lower_program.h>
#include <tessera/core/convert.h>
#include <tessera/core/executor.h>

#include "tests/codegen/cuda_rows/host_run.h"
#include "tests/planes/attention.h"

namespace tessera::testing {
namespace {

struct Flat {
  Program program;
  std::vector<BufferPtr> arguments;
};

Flat flat(const AttentionProgram& attention, const Precision& policy, bool strict) {
  std::vector<NodePtr> outputs = {attention.out.node()}, captured;
  for (const Tensor& g : attention.gradients) outputs.push_back(g.node());
  Flat made{flatten({}, outputs, /*lift_constants=*/false, &captured), {}};
  made.program.strict = strict;
  if (!strict) made.program.precision = policy;
  for (const NodePtr& node : captured) made.arguments.push_back(node->value);
  return made;
}

std::vector<BufferPtr> run(Executor& executor, Flat with) {
  return executor.compile(with.program)->run(with.program, with.arguments);
}

int cascades(const cuda::LoweredProgram& lowered) {
  int count = 0;
  for (const codegen::PlanLaunch& launch : lowered.plan.launches)
    count += launch.kernel >= 0 && lowered.plan.kernels[static_cast<size_t>(launch.kernel)].kind == "cascade";
  return count;
}

double error(const Buffer& a, DType dtype, const Buffer& exact) {
  double off = 0, all = 0;
  for (int64_t i = 0; i < static_cast<int64_t>(exact.bytes()) / 8; ++i) {
    const double x = load_double(a.data(), dtype, i), y = load_double(exact.data(), f64, i);
    off += (x - y) * (x - y);
    all += y * y;
  }
  return std::sqrt(off / all);
}

struct Numbers {
  AttentionPrecision data;
  bool is_policy = false;  // the program is f32, and a policy rounds

  Precision policy() const { return is_policy ? Precision("bf16_mixed") : Precision(); }
};
std::ostream& operator<<(std::ostream& out, const Numbers& one) { return out << one.data.name; }

const Numbers half = {{"bf16", bf16, bf16, bf16}}, widened = {{"mixed", bf16, bf16, f32}},
              policy = {{"policy", bf16, f32, f32}, true};

class CudaAttention : public ::testing::TestWithParam<std::tuple<std::string, Numbers>> {};

TEST_P(CudaAttention, agrees) {
  const auto& [variant, precision] = GetParam();
  const DType dtype = precision.data.dtype;
  std::vector<double> mine, theirs;
  for (const AttentionShape& shape : {AttentionShape{2, 2, 61, 67, 8}, {1, 2, 150, 150, 64}, {1, 2, 200, 330, 80}}) {
    SCOPED_TRACE("width " + std::to_string(shape.width));
    const AttentionProgram program = attention_program(variant, shape, precision.data, 7);
    const AttentionProgram exact = attention_program(variant, shape, {"f64", precision.data.storage, f64, f64}, 7);
    const Flat tested = flat(program, precision.policy(), false);
    const cuda::LoweredProgram lowered = cuda::lower_program(tested.program, {});
    std::vector<BufferPtr> arguments = tested.arguments;
    const std::vector<BufferPtr> planes = run_on_host(lowered, tested.program, arguments),
                                 plain = run(*find_executor("jit"), flat(program, {}, true)),
                                 truth = run(reference_executor(), flat(exact, {}, false));
    mine.resize(truth.size()), theirs.resize(truth.size());
    for (size_t i = 0; i < truth.size(); ++i) {
      mine[i] += std::pow(error(*planes[i], dtype, *truth[i]), 2);
      theirs[i] += std::pow(error(*plain[i], dtype, *truth[i]), 2);
    }
    EXPECT_EQ(cascades(lowered), 3);
  }
  for (size_t i = 0; i < mine.size(); ++i) {
    const std::string what = i == 0 ? "output" : "gradient " + std::to_string(i - 1);
    std::printf("%s, %s: %.1e, without planes %.1e\n", variant.c_str(), what.c_str(), std::sqrt(mine[i]),
                std::sqrt(theirs[i]));
    // The policy rounds what `strict` does not.
    EXPECT_LE(std::sqrt(mine[i]), !precision.is_policy ? 2 * std::sqrt(theirs[i]) : 0.02) << what;
  }
}

INSTANTIATE_TEST_SUITE_P(Matrix, CudaAttention,
                         ::testing::Combine(::testing::Values("none", "causal", "window", "alibi", "softcap", "scale",
                                                              "sigmoid", "documents", "prefix", "rotated"),
                                            ::testing::Values(half, widened, policy)),
                         [](const auto& one) {
                           return std::get<0>(one.param) + "_in_" + std::get<1>(one.param).data.name;
                         });

// What goes wrong in a text or in the header is seen.
TEST(CudaPlanes, planted_faults_are_found) {
  struct Fault {
    std::string text_from, text_to;  // in each text of a cascade that has it
    HeaderEdit header;
  };
  const AttentionShape shape{1, 1, 150, 150, 64};
  const AttentionProgram program = attention_program("causal", shape, policy.data, 7);
  const Flat tested = flat(program, policy.policy(), false);
  const std::vector<BufferPtr> truth =
      run(reference_executor(), flat(attention_program("causal", shape, {"f64", bf16, f64, f64}, 7), {}, false));
  auto worst = [&](const Fault& fault) {
    cuda::LoweredProgram lowered = cuda::lower_program(tested.program, {});
    bool is_planted = fault.text_from.empty();
    for (cuda::KernelSource& kernel : lowered.kernels)
      for (size_t at = 0; !fault.text_from.empty() && (at = kernel.text.find(fault.text_from, at)) != std::string::npos;
           at += fault.text_to.size(), is_planted = true)
        kernel.text.replace(at, fault.text_from.size(), fault.text_to);
    EXPECT_TRUE(is_planted) << "no text says " << fault.text_from;
    std::vector<BufferPtr> arguments = tested.arguments;
    const std::vector<BufferPtr> got = run_on_host(lowered, tested.program, arguments, fault.header);
    double most = 0;
    for (size_t i = 0; i < truth.size(); ++i) {
      const double off = error(*got[i], f32, *truth[i]);
      most = off <= most ? most : off;  // NaN too
    }
    return most;
  };
  EXPECT_LT(worst({}), 0.01);
  for (const Fault& fault : {
           Fault{"m_last < n_first", "m_first < n_first", {}},                // a block on the diagonal left out
           Fault{"n_last <= m_first", "n_first <= m_last", {}},               // masks left out where they hide
           Fault{"sum_1[i][h] *= ", "sum_1[i][h] *= 0.f * 1.f + 1.f; // ", {}},  // a repair left out
           Fault{"scale_rows(", "// (", {}},                                  // the other one
           Fault{"inside ? ", "true ? ", {}},                                 // columns beyond the end
           Fault{"bring(slot ^ 1, next)", "bring(slot, next)", {}},           // over what is being read
           Fault{"across_quad<Max>(", "(", {}},                               // each lane a maximum of its own
           Fault{"", "", {"cascade.cuh", "x = How::of(x, of_lane_across(x, 1));", ""}},
           Fault{"", "", {"cascade.cuh", "of[i][2 * k + r / 2]", "of[i][2 * k]"}},
           Fault{"", "", {"cascade.cuh", "row += lane / 16 * 8, k += lane / 8 % 2 * 8;", "row += lane / 8 % 2 * 8, k += lane / 16 * 8;"}},
           Fault{"", "", {"cascade.cuh", "h * 8 + thread % 32 / 4", "thread % 32 / 4"}},
       })
    EXPECT_FALSE(worst(fault) < 0.01) << fault.text_from << fault.header.from;
}

// What has no kernel yet lies in memory, and a remark says why.
TEST(CudaPlanes, without_a_kernel_lie_in_memory) {
  for (const auto& [variant, precision, why] :
       {std::tuple{"none", AttentionPrecision{"f32", f32, f32, f32}, "products of f32 in a plane"},
        {"table", half.data, "a table that a plane adds to"},
        {"pair", half.data, "a sum over batches of a plane"}}) {
    const AttentionProgram program = attention_program(variant, {2, 2, 64, 64, 32}, precision, 7);
    const cuda::LoweredProgram lowered = cuda::lower_program(flat(program, {}, false).program, {});
    EXPECT_EQ(cascades(lowered), 0);
    std::vector<std::string> reasons;
    for (const ir::Remark& remark : lowered.plan.remarks)
      if (remark.category == "plane" && remark.missed) reasons.push_back(remark.reason);
    EXPECT_THAT(reasons, ::testing::Contains(std::string("the target has no kernel yet for ") + why)) << variant;
  }
}

}  // namespace
}  // namespace tessera::testing
