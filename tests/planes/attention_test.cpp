// Attention from ordinary ops, forward and backward: the derived kernels against f64, against the same program without
// planes, and what they leave in memory.

#include <cmath>
#include <cstdio>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <tessera/core/convert.h>
#include <tessera/core/executor.h>

#include "tests/planes/attention.h"

namespace tessera::testing {
namespace {

struct Outcome {
  std::vector<BufferPtr> results;
  std::string fuse;
};

Outcome run(const AttentionProgram& program, Executor& executor, bool strict) {
  std::vector<NodePtr> outputs = {program.out.node()}, captured;
  for (const Tensor& g : program.gradients) outputs.push_back(g.node());
  Program flat = flatten({}, outputs, /*lift_constants=*/false, &captured);
  flat.strict = strict;
  std::vector<BufferPtr> data;
  for (const NodePtr& node : captured) data.push_back(node->value);
  std::shared_ptr<Executable> compiled = executor.compile(flat);
  return {compiled->run(flat, data), compiled->text(flat, "fuse")};
}

// √(Σ (a − b)² / Σ b²)
double error(const Buffer& a, DType dtype, const Buffer& exact, int64_t count) {
  double off = 0, all = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double x = load_double(a.data(), dtype, i), y = load_double(exact.data(), f64, i);
    off += (x - y) * (x - y);
    all += y * y;
  }
  return std::sqrt(off / all);
}

int count(const std::string& text, const std::string& word) {
  int n = 0;
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++n;
  return n;
}

class Attention : public ::testing::TestWithParam<std::tuple<std::string, AttentionPrecision, int>> {};

TEST_P(Attention, Derived) {
  const auto& [variant, precision, lengths] = GetParam();
  const DType dtype = precision.dtype;
  Executor* jit = find_executor("jit");
  ASSERT_NE(jit, nullptr);
  // Relative errors, root mean square over shapes and data: a gradient of two numbers, one a head, says little in a few.
  const bool few_numbers = variant == "scale" || variant == "sinks";
  const uint64_t draws = few_numbers && dtype == f32 ? 8 : 1;
  std::vector<std::pair<AttentionShape, uint64_t>> cases;
  for (const AttentionShape& shape : attention_shapes(lengths))
    for (uint64_t draw = 0; draw < draws; ++draw) cases.emplace_back(shape, 7 + draw);
  std::vector<double> mine, theirs;
  for (const auto& [shape, seed] : cases) {
    SCOPED_TRACE("width " + std::to_string(shape.width) + ", seed " + std::to_string(seed));
    const AttentionProgram program = attention_program(variant, shape, precision, seed);
    const AttentionProgram exact = attention_program(variant, shape, {"f64", precision.storage, f64, f64}, seed);
    const Outcome planes = run(program, *jit, false), plain = run(program, *jit, true),
                  truth = run(exact, reference_executor(), false);
    mine.resize(truth.results.size());
    theirs.resize(truth.results.size());
    for (size_t i = 0; i < truth.results.size(); ++i) {
      const int64_t n = static_cast<int64_t>(truth.results[i]->bytes()) / 8;
      mine[i] += std::pow(error(*planes.results[i], dtype, *truth.results[i], n), 2);
      theirs[i] += std::pow(error(*plain.results[i], dtype, *truth.results[i], n), 2);
    }
    const std::string forward = run({program.out, {}}, *jit, false).fuse;
    EXPECT_EQ(count(forward, "fuse.cascade"), 1);
    // A number per head that is stored narrower than scores is widened first.
    const bool widens = precision.plane != dtype && (variant == "scale" || variant == "sinks");
    EXPECT_EQ(count(forward, "fuse.kernel"), widens ? 1 : 0) << forward;
    EXPECT_EQ(count(planes.fuse, "fuse.cascade"), 3);
    EXPECT_EQ(count(plain.fuse, "fuse.cascade"), 0);
    // A learned bias that all batches share is as large as a head's scores; nothing is as large as those of all batches.
    const bool shares_bias = variant == "pair";
    const std::string heads = std::to_string(shape.batch) + "x" + std::to_string(shape.heads) + "x";
    const std::string rows = std::to_string(shape.rows) + "x", columns = std::to_string(shape.columns) + "x";
    const std::string plane = (shares_bias ? heads : "") + rows + columns,
                      transposed = (shares_bias ? heads : "") + columns + rows;
    EXPECT_EQ(count(planes.fuse, plane) + count(planes.fuse, transposed), 0);
    EXPECT_GT(count(plain.fuse, plane) + count(plain.fuse, transposed), 0);
  }
  for (size_t i = 0; i < mine.size(); ++i) {
    const std::string what = i == 0 ? "output" : "gradient " + std::to_string(i - 1);
    const auto n = static_cast<double>(cases.size());
    std::printf("%s in %s, %s: %.1e, without planes %.1e\n", variant.c_str(), precision.name.c_str(), what.c_str(),
                std::sqrt(mine[i] / n), std::sqrt(theirs[i] / n));
    EXPECT_LE(std::sqrt(mine[i]), 2 * std::sqrt(theirs[i])) << what;
  }
}

// Forward and backward at four times the length take four times the memory, where planes in memory take more than ten times.
class AttentionMemory : public ::testing::TestWithParam<std::string> {};

TEST_P(AttentionMemory, GrowsAsTheLengthDoes) {
  auto arena = [&](int64_t length, bool strict) {
    const AttentionProgram program =
        attention_program(GetParam(), {1, 2, length, length, 16}, attention_precisions().front(), 7);
    std::vector<NodePtr> outputs = {program.out.node()}, captured;
    for (const Tensor& g : program.gradients) outputs.push_back(g.node());
    Program flat = flatten({}, outputs, /*lift_constants=*/false, &captured);
    flat.strict = strict;
    const auto plan = nlohmann::json::parse(find_executor("jit")->compile(flat)->text(flat, "plan.json"));
    return plan.at("arena_bytes").get<double>();
  };
  EXPECT_LE(arena(1024, false), 4.01 * arena(256, false));
  EXPECT_GE(arena(1024, true), 10 * arena(256, true));
}

// All but a bias of each pair, whose gradient is a result as large as a plane.
std::vector<std::string> linear_variants() {
  std::vector<std::string> all = attention_variants();
  std::erase(all, "pair");
  return all;
}

INSTANTIATE_TEST_SUITE_P(Matrix, AttentionMemory, ::testing::ValuesIn(linear_variants()),
                         [](const auto& one) { return one.param; });

std::string name_of(const ::testing::TestParamInfo<Attention::ParamType>& one) {
  const auto& [variant, precision, lengths] = one.param;
  return variant + "_in_" + precision.name + (lengths < 0 ? "" : "_of_lengths_" + std::to_string(lengths));
}

INSTANTIATE_TEST_SUITE_P(Matrix, Attention,
                         ::testing::Combine(::testing::ValuesIn(matrix_variants()),
                                            ::testing::ValuesIn(attention_precisions()), ::testing::Values(-1)),
                         name_of);
// Every width with all lengths: by hand, because it takes four times as long.
INSTANTIATE_TEST_SUITE_P(Crossed, Attention,
                         ::testing::Combine(::testing::ValuesIn(matrix_variants()),
                                            ::testing::ValuesIn(attention_precisions()),
                                            ::testing::Range(0, ragged_lengths)),
                         name_of);

}  // namespace
}  // namespace tessera::testing
