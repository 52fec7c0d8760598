// Masks as users spell them: what each hides is skipped. NaN in the last key and value shows it: under a mask that is
// only computed, a weight of 0 times NaN reaches every row.

#include <cmath>
#include <functional>
#include <limits>
#include <stdexcept>

#include <gtest/gtest.h>

#include <tessera/autograd/grad.h>
#include <tessera/core/compile.h>
#include <tessera/core/convert.h>
#include <tessera/core/executor.h>
#include <tessera/core/ops.h>
#include <tessera/core/random.h>
#include <tessera/nn/functional.h>
#include <tessera/nn/training.h>

#include "tests/planes/difference.h"
#include "tests/support/host_data.h"

namespace tessera::testing {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr int64_t length = 300, heads = 2, width = 16;

struct Spelling {
  std::string name;
  std::function<Tensor(const Tensor& scores)> mask;
  bool skips = true;
};

Tensor plane(const std::function<double(int64_t row, int64_t column)>& value, DType dtype) {
  std::vector<double> values;
  for (int64_t i = 0; i < length; ++i)
    for (int64_t j = 0; j < length; ++j) values.push_back(value(i, j));
  return from_doubles(values, dtype, {length, length});
}

Tensor ids(const std::function<double(int64_t)>& value, const Shape& shape) {
  std::vector<double> values;
  for (int64_t i = 0; i < length; ++i) values.push_back(value(i));
  return from_doubles(values, i32, shape);
}

// Each hides the last column from rows 0 to 99 at least.
std::vector<Spelling> spellings() {
  const Tensor row = iota({length, length}, 0), column = iota({length, length}, 1);
  auto causal = [](int64_t i, int64_t j) { return static_cast<double>(i >= j); };
  auto fill = [=](int64_t i, int64_t j) { return i >= j ? 0 : -infinity; };
  // Not on diagonals alone: it lies in memory.
  auto ragged = [=](int64_t i, int64_t j) { return static_cast<double>(i >= j && (i * 7 + j) % 5 != 0); };
  return {
      {"compared", [=](const Tensor& s) { return where(row >= column, s, -infinity); }},
      {"compared the other way", [=](const Tensor& s) { return where(column > row, -infinity, s); }},
      {"negated", [=](const Tensor& s) { return where(!(column > row), s, -infinity); }},
      {"a difference", [=](const Tensor& s) { return where(row - column >= 0, s, -infinity); }},
      {"added", [=](const Tensor& s) { return s + where(row >= column, 0.0, -infinity); }},
      {"added first", [=](const Tensor& s) { return where(row >= column, 0.0, -infinity) + s; }},
      {"in floats", [=](const Tensor& s) { return where(cast(row, f32) >= cast(column, f32), s, -infinity); }},
      {"a triangle of bools", [=](const Tensor& s) { return where(plane(causal, boolean), s, -infinity); }},
      {"a triangle of ones", [=](const Tensor& s) { return where(plane(causal, f32) == 0, -infinity, s); }},
      {"a triangle of infinities", [=](const Tensor& s) { return s + plane(fill, f32); }},
      {"bools in memory", [=](const Tensor& s) { return where(plane(ragged, boolean), s, -infinity); }},
      {"a window", [=](const Tensor& s) { return where(row >= column && row - column < 40, s, -infinity); }},
      {"chunks",
       [=](const Tensor& s) { return where(floor_divide(row, 100) == floor_divide(column, 100), s, -infinity); }},
      {"a prefix", [=](const Tensor& s) { return where(row >= column || column < 50, s, -infinity); }},
      {"documents",
       [=](const Tensor& s) {
         auto document = [](int64_t i) { return std::floor(static_cast<double>(i) / 110); };
         return where(ids(document, {length, 1}) == ids(document, {1, length}), s, -infinity);
       }},
      {"a length", [=](const Tensor& s) { return where(column < from_doubles({101}, i32, {1, 1}), s, -infinity); }},
      {"before a softcap", [=](const Tensor& s) { return where(row >= column, 5 * tanh(s / 5), -infinity); }},
      {"with a bias", [=](const Tensor& s) { return where(row >= column, s + cast(row - column, f32), -infinity); }},
      {"a finite fill", [=](const Tensor& s) { return where(row >= column, s, -1e9); }},
      {"the least float", [=](const Tensor& s) { return where(row >= column, s, -3.4028234663852886e38); }},
      {"two fills", [=](const Tensor& s) { return where(column < 250, where(row >= column, s, -1e9), -1e4); }},
      // A row that sees nothing weighs all alike: here each has a number that is no further below the fill than scores go.
      {"a fill that is none", [=](const Tensor& s) { return where(row >= column, s, -1e3); }, false},
  };
}

std::vector<BufferPtr> run(const std::vector<Tensor>& outputs) {
  Executor* jit = find_executor("jit");
  if (!jit) throw std::runtime_error("no compiler");
  std::vector<NodePtr> nodes, captured;
  for (const Tensor& output : outputs) nodes.push_back(output.node());
  const Program flat = flatten({}, nodes, /*lift_constants=*/false, &captured);
  std::vector<BufferPtr> data;
  for (const NodePtr& node : captured) data.push_back(node->value);
  return jit->compile(flat)->run(flat, data);
}

// [1, length, heads, width], `last` in the last position.
Tensor operand(Draw& draw, double last) {
  std::vector<double> values;
  for (int64_t i = 0; i < length * heads * width; ++i)
    values.push_back(i < (length - 1) * heads * width ? draw.uniform(-1, 1) : last);
  return from_doubles(values, f32, {1, length, heads, width});
}

Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, const std::function<Tensor(const Tensor&)>& mask) {
  return einsum("bhts,bshd->bthd", softmax(mask(einsum("bthd,bshd->bhts", q, k) * 0.25), -1), v);
}

class Masks : public ::testing::TestWithParam<Spelling> {};

TEST_P(Masks, AreSkipped) {
  Draw draw(5);
  const Tensor q = operand(draw, 0), k = operand(draw, 0), v = operand(draw, std::nan(""));
  const BufferPtr out = run({attend(q, k, v, GetParam().mask)})[0];
  for (int64_t i = 0; i < 50 * heads * width; ++i)
    ASSERT_EQ(std::isfinite(load_double(out->data(), f32, i)), GetParam().skips) << i;
}

TEST(Mask, RowsThatSeeNothingAreZero) {
  constexpr int64_t blind = 150;  // whole tiles of them, and a part of one
  Draw draw(6);
  const Tensor q = operand(draw, 1), k = operand(draw, 1), v = operand(draw, 1);
  const Tensor row = iota({length, length}, 0), column = iota({length, length}, 1);
  const Tensor out =
      attend(q, k, v, [&](const Tensor& s) { return where(row >= column && row >= blind, s, -infinity); });
  const std::vector<Tensor> gradients = grad(sum(out * out), {q, k, v});
  const std::vector<BufferPtr> results = run({out, gradients[0], gradients[1], gradients[2]});
  for (int64_t i = 0; i < length * heads * width; ++i) {
    for (const BufferPtr& result : results) ASSERT_TRUE(std::isfinite(load_double(result->data(), f32, i))) << i;
    if (i >= blind * heads * width) continue;
    ASSERT_EQ(load_double(results[0]->data(), f32, i), 0) << i;
    ASSERT_EQ(load_double(results[1]->data(), f32, i), 0) << i;
  }
}

// With heads that share keys, dropout and masks that are arguments: as with planes in memory, whose every block is computed.
TEST(Mask, AgreesWithPlanesInMemory) {
  Draw draw(7);
  auto random = [&](int64_t of) { return random_tensor(draw, f32, {2, length, of, width}, {-1, 1}); };
  const Tensor q = random(4), k = random(2), v = random(2), direction = random(4);
  std::vector<double> seen;
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t j = 0; j < length; ++j) seen.push_back(j < 120 + 100 * b);
  const Tensor padding = from_doubles(seen, boolean, {2, 1, 1, length});
  for (const double dropout : {0.0, 0.3})
    for (const bool causal : {false, true}) {
      SCOPED_TRACE(::testing::Message() << "dropout " << dropout << ", causal " << causal);
      std::vector<Tensor> results[2];
      for (const bool strict : {false, true}) {
        auto step = compile(
            [&](Tensor a, Tensor b, Tensor c, Tensor mask) {
              nn::Training on;
              const Tensor out = nn::attention(a, b, c, {.causal = causal, .mask = mask, .dropout = dropout});
              std::vector<Tensor> all = grad(sum(out * direction), {a, b, c});
              all.push_back(out);
              return all;
            },
            {.strict = strict});
        seed(11);
        results[strict] = step(q, k, v, padding);
        EXPECT_EQ(step.text("fuse").find("fuse.cascade") == std::string::npos, strict);
      }
      for (size_t i = 0; i < results[0].size(); ++i) EXPECT_LT(difference(results[0][i], results[1][i]), 2e-6) << i;
    }
}

// A finite fill is a number: where a row sees nothing it weighs all alike, whatever other rows of its tile see. Behind
// diagonals, in front of windows, and at rows that are hidden from end to end.
TEST(Mask, FiniteFillsWeighAsWithPlanesInMemory) {
  Draw draw(8);
  auto random = [&](int64_t of) { return random_tensor(draw, f32, {2, length, of, width}, {-1, 1}); };
  const Tensor q = random(heads), k = random(heads), v = random(heads), direction = random(heads);
  for (const int64_t window : {length, int64_t{20}})
    for (const int64_t blind : {0, 1, 150}) {
      SCOPED_TRACE(::testing::Message() << "window " << window << ", rows that see nothing " << blind);
      std::vector<Tensor> results[2];
      for (const bool strict : {false, true}) {
        auto step = compile(
            [&](Tensor a, Tensor b, Tensor c) {
              const Tensor row = iota({length, length}, 0), column = iota({length, length}, 1);
              const Tensor out = attend(a, b, c, [&](const Tensor& s) {
                return where(row >= column && row - column < window && row >= blind, s, -1e9);
              });
              std::vector<Tensor> all = grad(sum(out * direction), {a, b, c});
              all.push_back(out);
              return all;
            },
            {.strict = strict});
        results[strict] = step(q, k, v);
        EXPECT_EQ(step.text("fuse").find("fuse.cascade") == std::string::npos, strict);
      }
      for (size_t i = 0; i < results[0].size(); ++i) EXPECT_LT(difference(results[0][i], results[1][i]), 2e-6) << i;
    }
}

INSTANTIATE_TEST_SUITE_P(Spelled, Masks, ::testing::ValuesIn(spellings()), [](const auto& one) {
  std::string name = one.param.name;
  for (char& c : name)
    if (c == ' ') c = '_';
  return name;
});

}  // namespace
}  // namespace tessera::testing
