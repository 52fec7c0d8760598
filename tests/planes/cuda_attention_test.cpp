// Attention's derived kernels as CUDA C++, forward and backward: beside f64, with no more error than the same program with
// planes in memory. Built twice: for the card, and for the processor (tests/codegen/cuda_rows/host).

#include <cmath>
#include <cstdio>

#include <gtest/gtest.h>

#include "tests/planes/attention.h"
#include "tests/planes/cuda_planes.h"

namespace tessera::testing {
namespace {

struct Numbers {
  AttentionPrecision data;
  bool is_policy = false;  // the program is f32, and a policy rounds

  Precision policy() const { return is_policy ? Precision("bf16_mixed") : Precision(); }
};
std::ostream& operator<<(std::ostream& out, const Numbers& one) { return out << one.data.name; }

const Numbers half = {{"bf16", bf16, bf16, bf16}}, widened = {{"mixed", bf16, bf16, f32}},
              policy = {{"policy", bf16, f32, f32}, true}, single = {{"f32", f32, f32, f32}};

// The architecture "" is any card's.
class CudaAttention : public OnCuda<std::tuple<std::string, Numbers, std::string>> {};

TEST_P(CudaAttention, agrees) {
  const auto& [variant, precision, architecture] = GetParam();
  const DType dtype = precision.data.dtype;
  std::vector<double> mine, theirs;
  for (const AttentionShape& shape : {AttentionShape{2, 2, 61, 67, 8}, {1, 2, 150, 150, 64}, {1, 2, 130, 270, 80}}) {
    SCOPED_TRACE("width " + std::to_string(shape.width));
    const AttentionProgram program = attention_program(variant, shape, precision.data, 7);
    const AttentionProgram exact = attention_program(variant, shape, {"f64", precision.data.storage, f64, f64}, 7);
    const Flat tested = flat(results_of(program), precision.policy());
    const cuda::LoweredProgram lowered = cuda::lower_program(tested.program, {architecture});
    const std::vector<BufferPtr> planes = run_on_cuda(lowered, tested),
                                 plain = run(*find_executor("jit"), flat(results_of(program), {}, true)),
                                 truth = run(reference_executor(), flat(results_of(exact), {}));
    mine.resize(truth.size()), theirs.resize(truth.size());
    for (size_t i = 0; i < truth.size(); ++i) {
      mine[i] += std::pow(error(*planes[i], dtype, *truth[i], f64), 2);
      theirs[i] += std::pow(error(*plain[i], dtype, *truth[i], f64), 2);
    }
    EXPECT_EQ(cascades(lowered), 3);
    EXPECT_EQ(cascades_with_roles(lowered), architecture.empty() ? 0 : 3);
  }
  for (size_t i = 0; i < mine.size(); ++i) {
    const std::string what = i == 0 ? "output" : "gradient " + std::to_string(i - 1);
    std::printf("%s, %s: %.1e, without planes %.1e\n", variant.c_str(), what.c_str(), std::sqrt(mine[i]),
                std::sqrt(theirs[i]));
    // The policy rounds what `strict` does not.
    EXPECT_LE(std::sqrt(mine[i]), !precision.is_policy ? 2 * std::sqrt(theirs[i]) : 0.02) << what;
  }
}

const auto variants = ::testing::Values("none", "causal", "window", "alibi", "softcap", "scale", "sigmoid", "documents",
                                        "prefix", "rotated");
std::string name_of(const ::testing::TestParamInfo<CudaAttention::ParamType>& one) {
  const auto& [variant, precision, architecture] = one.param;
  return variant + "_in_" + precision.data.name + (architecture.empty() ? "" : "_on_" + architecture);
}

INSTANTIATE_TEST_SUITE_P(Matrix, CudaAttention,
                         ::testing::Combine(variants, ::testing::Values(half, widened, policy),
                                            ::testing::ValuesIn(architectures())),
                         name_of);
// These have no roles anywhere.
INSTANTIATE_TEST_SUITE_P(OfF32, CudaAttention,
                         ::testing::Combine(variants, ::testing::Values(single), ::testing::Values("")), name_of);

}  // namespace
}  // namespace tessera::testing
