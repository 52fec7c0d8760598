// A few queries against many keys, as when text is generated one token at a time: one kernel, whatever is done to scores,
// and the same numbers as without planes.

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include <tessera/core/compile.h>
#include <tessera/core/convert.h>
#include <tessera/core/executor.h>

#include "tests/planes/attention.h"

namespace tessera::testing {
namespace {

struct Outcome {
  std::vector<BufferPtr> results;
  std::string fuse;
};

Outcome run(const std::vector<Tensor>& results, Executor& executor, bool strict) {
  std::vector<NodePtr> outputs, captured;
  for (const Tensor& result : results) outputs.push_back(result.node());
  Program flat = flatten({}, outputs, /*lift_constants=*/false, &captured);
  flat.strict = strict;
  std::vector<BufferPtr> data;
  for (const NodePtr& node : captured) data.push_back(node->value);
  std::shared_ptr<Executable> compiled = executor.compile(flat);
  return {compiled->run(flat, data), compiled->text(flat, "fuse")};
}

int count(const std::string& text, const std::string& word) {
  int n = 0;
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++n;
  return n;
}

std::vector<double> numbers(const Buffer& from, DType dtype) {
  std::vector<double> all(from.bytes() / size_of(dtype));
  for (size_t i = 0; i < all.size(); ++i) all[i] = load_double(from.data(), dtype, static_cast<int64_t>(i));
  return all;
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double off = 0, all = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    off += (a[i] - b[i]) * (a[i] - b[i]);
    all += b[i] * b[i];
  }
  return std::sqrt(off / all);
}

class FewQueries : public ::testing::TestWithParam<std::tuple<std::string, AttentionPrecision>> {};

TEST_P(FewQueries, AreOneKernel) {
  const auto& [variant, precision] = GetParam();
  Executor* jit = find_executor("jit");
  ASSERT_NE(jit, nullptr);
  for (int64_t rows : {1, 2, 7}) {
    SCOPED_TRACE(std::to_string(rows) + " queries");
    const AttentionShape shape{2, 3, rows, 2600, 24};
    const Tensor out = attention_program(variant, shape, precision, 7).out;
    const Tensor exact = attention_program(variant, shape, {"f64", precision.storage, f64, f64}, 7).out;
    const Outcome planes = run({out}, *jit, false), plain = run({out}, *jit, true);
    EXPECT_EQ(count(planes.fuse, "fuse.cascade"), 1);
    const bool widens = precision.plane != precision.dtype && (variant == "scale" || variant == "sinks");
    EXPECT_EQ(count(planes.fuse, "fuse.kernel"), widens ? 1 : 0) << planes.fuse;
    const std::vector<double> truth = numbers(*run({exact}, reference_executor(), false).results[0], f64);
    const double mine = distance(numbers(*planes.results[0], precision.dtype), truth),
                 theirs = distance(numbers(*plain.results[0], precision.dtype), truth);
    EXPECT_LE(mine, 2 * theirs);
    EXPECT_LE(mine, precision.dtype == f32 ? 1e-6 : 1e-2);
  }
}

INSTANTIATE_TEST_SUITE_P(Matrix, FewQueries,
                         ::testing::Combine(::testing::ValuesIn(attention_variants()),
                                            ::testing::ValuesIn(attention_precisions())),
                         [](const auto& one) { return std::get<0>(one.param) + "_in_" + std::get<1>(one.param).name; });

Tensor drawn(Draw& draw, const Shape& shape) { return random_tensor(draw, f32, shape, {-1, 1}); }

// A query without a dim of its own, and four heads that share one key.
TEST(FewQueriesSpelled, WithoutADimAndWithGroupedHeads) {
  Draw draw(3);
  const Tensor k = drawn(draw, {2, 900, 3, 16}), v = drawn(draw, {2, 900, 3, 16});
  const Tensor one = drawn(draw, {2, 3, 16}), grouped = drawn(draw, {2, 1, 3, 4, 16});
  const Tensor no_dim = einsum("bhs,bshd->bhd", softmax(einsum("bhd,bshd->bhs", one, k), -1), v);
  const Tensor groups = einsum("bhrts,bshd->bthrd", softmax(einsum("bthrd,bshd->bhrts", grouped, k), -1), v);
  for (const Tensor& out : {no_dim, groups}) {
    const Outcome planes = run({out}, *find_executor("jit"), false);
    EXPECT_EQ(count(planes.fuse, "fuse.cascade"), 1);
    EXPECT_EQ(count(planes.fuse, "fuse.kernel"), 0);
    const std::vector<double> want = numbers(*run({out}, reference_executor(), false).results[0], f32);
    EXPECT_LE(distance(numbers(*planes.results[0], f32), want), 1e-6);
  }
}

// The keys of each text end somewhere; of one text none is left, and its row is 0.
TEST(FewQueriesSpelled, OfTextsThatEnd) {
  Draw draw(4);
  const std::vector<int64_t> lengths = {0, 1, 700, 2600};
  const Tensor q = drawn(draw, {4, 1, 2, 16}), k = drawn(draw, {4, 2600, 2, 16}), v = drawn(draw, {4, 2600, 2, 16});
  const Tensor ends = from_doubles({lengths.begin(), lengths.end()}, i64, {4, 1, 1, 1});
  const Tensor s = einsum("bthd,bshd->bhts", q, k);
  const Tensor seen = where(iota({4, 2, 1, 2600}, 3) < ends, s, -std::numeric_limits<double>::infinity());
  const Tensor out = einsum("bhts,bshd->bthd", softmax(seen, -1), v);
  const Outcome planes = run({out}, *find_executor("jit"), false);
  EXPECT_EQ(count(planes.fuse, "fuse.cascade"), 1);
  const std::vector<double> got = numbers(*planes.results[0], f32);
  const std::vector<double> want = numbers(*run({out}, reference_executor(), false).results[0], f32);
  for (size_t i = 0; i < 32; ++i) EXPECT_EQ(got[i], 0) << i;
  EXPECT_LE(distance(got, want), 1e-6);
}

// In training every further sweep would read the keys again, which are more than the plane: it lies in memory.
TEST(FewQueriesSpelled, InTrainingLieInMemory) {
  const AttentionProgram program = attention_program("none", {2, 3, 3, 600, 16}, attention_precisions().front(), 7);
  std::vector<Tensor> results = program.gradients;
  results.push_back(program.out);
  EXPECT_EQ(count(run(results, *find_executor("jit"), false).fuse, "fuse.cascade"), 0);
}

}  // namespace
}  // namespace tessera::testing
