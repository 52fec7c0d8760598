// Cascades that sum a plane value in the entries of a table: the gradient of biases that scores look up.

#include <gtest/gtest.h>

#include <algorithm>

#include <tessera/core/convert.h>

#include "tests/codegen/cascade_expected.h"

namespace tessera::test {
namespace {

struct Lookup {
  int64_t entries, scale;  // of the distance from row to column
  bool of_each_batch = false;
  bool narrow = false;  // the table is bf16

  // What is far ends in the first or last entry.
  int64_t entry(int64_t m, int64_t n) const {
    return std::clamp<int64_t>(scale * (n - m) + entries / 2, 0, entries - 1);
  }
};

// The gradient of queries, and behind it that of a table.
CascadeSpec with_table(const AttentionShape& s, const Lookup& look, const std::string& mask = "", bool clamped = true) {
  CascadeSpec spec = attention_dq(s, mask);
  spec.dims.push_back(look.entries);
  for (CascadeOperand& one : spec.ins) one.strides.push_back(0);
  spec.outs[0].strides.push_back(0);
  const std::string element = look.narrow ? "bf16" : "f32";
  spec.outs.push_back({element,
                       look.entries * (look.of_each_batch ? s.batch : 1),
                       {look.of_each_batch ? look.entries : 0, 0, 0, 0, 0, 1},
                       ""});
  auto constant = [](const std::string& name, int64_t value) {
    return name + " = arith.constant " + std::to_string(value) + " : index\n";
  };
  const std::string yield = "fuse.yield %dq : f32\n";
  spec.body.replace(spec.body.find(yield), yield.size(),
                    "%right = fuse.index affine_map<(d0, d1, d2, d3, d4, d5) -> (d2 * " + std::to_string(look.scale) +
                        " - d1 * " + std::to_string(look.scale) + " + " + std::to_string(look.entries / 2) + ")>\n" +
                        constant("%first", 0) + constant("%last", look.entries - 1) +
                        "%above = arith.maxsi %right, %first : index\n%within = arith.minsi %above, %last : index\n" +
                        "%sum = fuse.scatter_add %ds at " + (clamped ? "%within" : "%right") + " of 5 over [" +
                        (look.of_each_batch ? "" : "0, ") + "1, 2] : f32\n" +
                        (look.narrow ? "%table = arith.truncf %sum : f32 to bf16\n" : "") + "fuse.yield %dq, " +
                        (look.narrow ? "%table : f32, bf16\n" : "%sum : f32, f32\n"));
  return spec;
}

template <class T> std::vector<T> part(const std::vector<T>& all, int64_t batch, int64_t batches) {
  const auto size = static_cast<int64_t>(all.size()) / batches;
  return {all.begin() + batch * size, all.begin() + (batch + 1) * size};
}

// Of `used` points; batch by batch if each has a table.
Doubles expected_table(const AttentionShape& s, const Inputs& in, const Lookup& look, const Mask& mask,
                       const Mask& used = nullptr) {
  Doubles all;
  AttentionShape one = s;
  if (look.of_each_batch) one.batch = 1;
  for (int64_t b = 0; b < s.batch / one.batch; ++b) {
    Inputs own = in;
    for (auto* data : {&own.q, &own.k, &own.v, &own.dy}) *data = part(*data, b, s.batch / one.batch);
    const Expected want(one, own, mask);
    Doubles table(static_cast<size_t>(look.entries), 0);
    for (int64_t m = 0; m < s.rows; ++m)
      for (int64_t n = 0; n < s.columns; ++n)
        if (!used || used(m, n))
          table[static_cast<size_t>(look.entry(m, n))] += want.dbias[static_cast<size_t>(m * s.columns + n)];
    all.insert(all.end(), table.begin(), table.end());
  }
  return all;
}

std::vector<BufferPtr> run(const CascadeSpec& spec, const Inputs& in, const Expected& want, int64_t launches) {
  CascadeProgram program(spec.text());
  EXPECT_EQ(program.launches(), launches);
  return run_on_threads(program, {buffer(in.q), buffer(in.k), buffer(in.v), buffer(in.dy), buffer(floats(want.lse)),
                                  buffer(floats(want.delta))});
}

void check_table(const AttentionShape& s, const Lookup& look, const std::string& lines = "",
                 const Mask& mask = nullptr) {
  SCOPED_TRACE(std::to_string(s.batch) + " x " + std::to_string(s.rows) + " x " + std::to_string(s.columns) + ", " +
               std::to_string(look.entries) + " entries");
  const Inputs in(s);
  const Expected want(s, in, mask);
  const auto got = run(with_table(s, look, lines), in, want, 2);
  expect_close(values<float>(got[0]), want.dq, 1e-4, "gradient of q");
  expect_close(values<float>(got[1]), expected_table(s, in, look, mask), 1e-4, "gradient of the table");
}

TEST(CascadeTable, OneForAllBatches) {
  check_table({2, 64, 96, 16, 24}, {33, 1});
  check_table({3, 100, 131, 8, 8}, {5, 2});
  check_table({1, 301, 100, 40, 40}, {400, 1});  // several groups of rows
  check_table({150, 9, 40, 8, 8}, {33, 3});      // several tasks, each of several batches
}

TEST(CascadeTable, OneForEachBatch) {
  check_table({3, 70, 75, 8, 8}, {33, 1, true});
  check_table({2, 300, 90, 16, 16}, {129, 1, true});
}

// The stream is split, and states are merged beside the tables.
TEST(CascadeTable, OfFewRowsOfALongStream) {
  check_table({2, 3, 2100, 16, 24}, {65, 1, true});
  check_table({1, 40, 2600, 16, 16}, {33, 1, true});
}

TEST(CascadeTable, UnderAMask) {
  const std::string lines = R"(%i = fuse.index affine_map<(d0, d1, d2, d3, d4, d5) -> (d1)>
%j = fuse.index affine_map<(d0, d1, d2, d3, d4, d5) -> (d2)>
%seen = arith.cmpi sge, %i, %j : index
%none = arith.constant 0xFF800000 : f32
%x = arith.select %seen, %s, %none : f32
)";
  const Mask mask = [](int64_t m, int64_t n) { return m >= n; };
  check_table({3, 300, 300, 16, 16}, {33, 1}, lines, mask);
}

TEST(CascadeTable, Narrowed) {
  const AttentionShape s{2, 64, 96, 16, 24};
  const Lookup look{33, 1, false, true};
  const Inputs in(s);
  const Expected want(s, in, nullptr);
  std::vector<float> got;
  for (uint16_t bits : values<uint16_t>(run(with_table(s, look), in, want, 2)[1])) got.push_back(bf16_to_float(bits));
  expect_close(got, expected_table(s, in, look, nullptr), 4e-3, "gradient of the table");
}

TEST(CascadeTable, IndicesOutsideCountNowhere) {
  const AttentionShape s{2, 64, 96, 16, 24};
  const Lookup look{33, 1};
  const Inputs in(s);
  const Expected want(s, in, nullptr);
  const auto got = run(with_table(s, look, "", false), in, want, 2);
  const Mask inside = [&](int64_t m, int64_t n) { return n - m + 16 >= 0 && n - m + 16 < 33; };
  expect_close(values<float>(got[1]), expected_table(s, in, look, nullptr, inside), 1e-4, "gradient of the table");
}

// Thousands of points meet in one entry: f32 one after the other would lose more.
TEST(CascadeTable, SumsOfManyPoints) {
  const AttentionShape s{2, 700, 700, 8, 8};
  const Lookup look{3, 1};
  const Inputs in(s);
  const Expected want(s, in, nullptr);
  const auto got = values<float>(run(with_table(s, look), in, want, 2)[1]);
  const Doubles table = expected_table(s, in, look, nullptr);
  for (size_t e = 0; e < table.size(); ++e) EXPECT_NEAR(got[e], table[e], 3e-5) << e;
}

}  // namespace
}  // namespace tessera::test
