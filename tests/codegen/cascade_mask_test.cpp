// Cascades under masks: what is hidden is skipped, whatever lies there, and nothing else changes.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "tests/codegen/cascade_expected.h"

namespace tessera::test {
namespace {

// %x: %s where dim `row` is no less than dim `column` less `ahead`, and no more than `window` ahead of it.
std::string band_lines(int row, int column, int64_t window) {
  auto index = [](const char* name, int d) {
    return std::string(name) + " = fuse.index affine_map<(d0, d1, d2, d3, d4) -> (d" + std::to_string(d) + ")>\n";
  };
  return index("%i", row) + index("%j", column) + R"(%late = arith.cmpi sge, %i, %j : index
%ahead = arith.subi %i, %j : index
%w = arith.constant )" +
         std::to_string(window) + R"( : index
%near = arith.cmpi slt, %ahead, %w : index
%seen = arith.andi %late, %near : i1
%none = arith.constant 0xFF800000 : f32
%x = arith.select %seen, %s, %none : f32
)";
}

// Every row sees itself, and at first whole blocks of columns that it does not: −∞ less −∞ must not get out.
TEST(CascadeMask, NeedsNoGuard) {
  auto band = [](int64_t window) { return [window](int64_t m, int64_t n) { return m >= n && m - n < window; }; };
  check_forward({2, 300, 300, 16, 16}, band_lines(1, 2, 1000), band(1000));
  check_forward({2, 500, 500, 16, 16}, band_lines(1, 2, 40), band(40));
  check_backward({2, 300, 300, 16, 16}, band_lines(1, 2, 1000), band_lines(2, 1, 1000), band(1000));
}

// Parts of a split stream of which rows see nothing at all.
TEST(CascadeMask, HidesPartsFromFewQueries) {
  auto band = [](int64_t window) { return [window](int64_t m, int64_t n) { return m >= n && m - n < window; }; };
  check_forward({2, 3, 2600, 16, 16}, band_lines(1, 2, 1000), band(1000));
  check_backward({2, 3, 2600, 16, 16}, band_lines(1, 2, 1000), band_lines(2, 1, 1000), band(1000));
}

// The gradient of a bias that all batches share lies in memory from batch to batch. The first one writes it also where a
// mask hides everything, the others skip what they hide; and none of it depends on how rows are dealt to threads.
TEST(CascadeMask, SumsOverBatchesBeginWithTheFirst) {
  for (const AttentionShape& s : {AttentionShape{5, 300, 300, 16, 16}, AttentionShape{3, 70, 75, 8, 8}}) {
    const Mask mask = [](int64_t m, int64_t n) { return m >= n && m - n < 40; };
    const Inputs in(s);
    const Expected want(s, in, mask);
    CascadeSpec spec = attention_dq(s, band_lines(1, 2, 40));
    spec.outs.insert(spec.outs.begin(), {"f32", s.rows * s.columns, {0, s.columns, 1, 0, 0}, ""});
    const std::string yield = "fuse.yield %dq : f32\n";
    spec.body.replace(spec.body.find(yield), yield.size(),
                      "%all = fuse.reduce sum %ds over [0] : f32\nfuse.yield %all, %dq : f32, f32\n");
    CascadeProgram program(spec.text());
    const auto got = run_on_threads(program, {buffer(in.q), buffer(in.k), buffer(in.v), buffer(in.dy),
                                              buffer(floats(want.lse)), buffer(floats(want.delta))});
    expect_close(values<float>(got[0]), want.dbias, 1e-4, "gradient of the bias");
    expect_close(values<float>(got[1]), want.dq, 1e-4, "gradient of q");
  }
}

// %x: %s where the row's id and the column's, inputs `row` and `column`, are both even or both odd.
std::string parity_lines(int row, int column) {
  return "%apart = arith.subi %x" + std::to_string(row) + ", %x" + std::to_string(column) + R"( : i32
%two = arith.constant 2 : i32
%odd = arith.remsi %apart, %two : i32
%nil = arith.constant 0 : i32
%seen = arith.cmpi eq, %odd, %nil : i32
%none = arith.constant 0xFF800000 : f32
%x = arith.select %seen, %s, %none : f32
)";
}

// To skip a block changes no bit, and neither does code without masks for a full one: ids of one parity in all of a
// block decide it if they are equal, and leave it open if they are not.
TEST(CascadeMask, SkippingChangesNoBit) {
  const AttentionShape s{2, 500, 500, 16, 24};
  const Inputs in(s);
  std::vector<int32_t> row[2], column[2];
  for (int64_t i = 0; i < s.batch * s.rows; ++i) {
    const auto by_row = static_cast<int32_t>(i / 150 % 2), by_column = static_cast<int32_t>(i / 270 % 2);
    row[0].push_back(by_row), column[0].push_back(by_column);
    row[1].push_back(by_row + 2 * static_cast<int32_t>(i % 3)), column[1].push_back(by_column + 2 * (i % 2 == 0));
  }
  const Expected want(s, in, nullptr);  // any finite numbers do
  const std::vector<BufferPtr> operands = {
      buffer(in.q), buffer(in.k), buffer(in.v), buffer(in.dy), buffer(floats(want.lse)), buffer(floats(want.delta))};
  auto compare = [&](CascadeSpec spec, size_t inputs, size_t row_dim) {
    SCOPED_TRACE(spec.body);
    for (size_t d : {row_dim, 3 - row_dim}) {
      spec.ins.push_back({"i32", s.batch * s.rows, {s.rows, 0, 0, 0, 0}, ""});
      spec.ins.back().strides[d] = 1;
    }
    CascadeProgram program(spec.text());
    std::vector<BufferPtr> results[2];
    for (int open : {0, 1}) {
      std::vector<BufferPtr> arguments(operands.begin(), operands.begin() + static_cast<int64_t>(inputs));
      arguments.push_back(buffer(row[open])), arguments.push_back(buffer(column[open]));
      results[open] = run_on_threads(program, arguments);
    }
    for (size_t k = 0; k < results[0].size(); ++k) {
      EXPECT_EQ(std::memcmp(results[0][k]->data(), results[1][k]->data(), results[0][k]->bytes()), 0) << k;
    }
  };
  compare(attention(s, "f32", true, parity_lines(3, 4)), 3, 1);
  compare(attention_dq(s, parity_lines(6, 7)), 6, 1);
  compare(attention_dkv(s, parity_lines(6, 7)), 6, 2);
}

// %x: %s up to a length that each batch point has as input `number`, along dim `column`.
std::string length_lines(int column, int number) {
  return "%j = fuse.index affine_map<(d0, d1, d2, d3, d4) -> (d" + std::to_string(column) +
         ")>\n%j64 = arith.index_cast %j : index to i64\n%seen = arith.cmpi slt, %j64, %x" + std::to_string(number) +
         " : i64\n%none = arith.constant 0xFF800000 : f32\n%x = arith.select %seen, %s, %none : f32\n";
}

// What nobody sees is not even read: NaN behind the length of a sequence does not get out.
TEST(CascadeMask, EmptyBlocksAreSkipped) {
  const AttentionShape s{2, 100, 640, 16, 16};
  // Whole blocks of columns stay clean, and where keys are rows whole tiles of them, whatever a register tile holds.
  const std::vector<int64_t> lengths{100, 250}, clean{256, 512};
  const CascadeOperand length{"i64", 2, {1, 0, 0, 0, 0}, ""};
  for (int64_t b = 0; b < 2; ++b) {
    SCOPED_TRACE(b);
    Inputs in(s);
    const int64_t seen = lengths[static_cast<size_t>(b)];
    const Expected want(s, in, [seen](int64_t, int64_t n) { return n < seen; });
    for (int64_t i = 0; i < s.batch; ++i) {
      for (int64_t n = clean[static_cast<size_t>(b)]; n < s.columns; ++n) {
        for (int64_t d = 0; d < s.depth; ++d) {
          const auto at = static_cast<size_t>((i * s.columns + n) * s.depth + d);
          in.k[at] = in.v[at] = std::nanf("");
        }
      }
    }
    std::vector<BufferPtr> arguments = {buffer(in.q), buffer(in.k), buffer(in.v)};
    const BufferPtr both = buffer(std::vector<int64_t>{seen, seen});
    CascadeSpec forward = attention(s, "f32", true, length_lines(2, 3));
    forward.ins.push_back(length);
    arguments.push_back(both);
    CascadeProgram program(forward.text());
    auto got = run_on_threads(program, arguments);
    expect_close(values<float>(got[0]), want.o, 2e-5, "values");
    expect_close(values<float>(got[1]), want.lse, 2e-5, "lse");

    arguments = {
        buffer(in.q), buffer(in.k), buffer(in.v), buffer(in.dy), buffer(floats(want.lse)), buffer(floats(want.delta)),
        both};
    CascadeSpec rows = attention_dq(s, length_lines(2, 6)), columns = attention_dkv(s, length_lines(1, 6));
    rows.ins.push_back(length), columns.ins.push_back(length);
    CascadeProgram by_row(rows.text()), by_column(columns.text());
    auto dq = run_on_threads(by_row, arguments), dkv = run_on_threads(by_column, arguments);
    expect_close(values<float>(dq[0]), want.dq, 1e-4, "dq");
    expect_close(values<float>(dkv[0]), want.dk, 1e-4, "dk");
    expect_close(values<float>(dkv[1]), want.dv, 1e-4, "dv");
  }
}

// Rows that see nothing: by the guard in the body their values are 0 and lse is −∞.
TEST(CascadeMask, RowsThatSeeNothing) {
  const AttentionShape s{1, 100, 200, 16, 16};
  CascadeSpec spec = attention(s);
  spec.ins.push_back({"i1", s.rows, {0, 1, 0, 0, 0}, ""});
  spec.body = R"(%s = fuse.contract %x0, %x1 over [3] : f32 -> f32
%none = arith.constant 0xFF800000 : f32
%zero = arith.constant 0.0 : f32
%one = arith.constant 1.0 : f32
%x = arith.select %x3, %s, %none : f32
%max = fuse.reduce max %x over [2] : f32
%empty = arith.cmpf oeq, %max, %none : f32
%ref = arith.select %empty, %zero, %max : f32
%d = arith.subf %x, %ref : f32
%p = math.exp %d : f32
%sum = fuse.reduce sum %p over [2] : f32
)" + repair_by_max("%sum", "%max") +
              "%acc = fuse.contract %p, %x2 over [2] : f32 -> f32\n" + repair_by_max("%acc", "%max") +
              R"(%nothing = arith.cmpf oeq, %sum, %zero : f32
%by = arith.select %nothing, %one, %sum : f32
%o = arith.divf %acc, %by : f32
%l = math.log %sum : f32
%lse = arith.addf %ref, %l : f32
fuse.yield %o, %lse : f32, f32
)";
  CascadeProgram program(spec.text());
  const Inputs in(s);
  const Mask sees = [](int64_t m, int64_t) { return m % 3 != 1; };
  std::vector<uint8_t> seen;
  for (int64_t m = 0; m < s.rows; ++m) seen.push_back(sees(m, 0));
  const Expected want(s, in, sees);
  auto got = run_on_threads(program, {buffer(in.q), buffer(in.k), buffer(in.v), buffer(seen)});
  expect_close(values<float>(got[0]), want.o, 2e-5, "values");
  expect_close(values<float>(got[1]), want.lse, 2e-5, "lse");
}

// A causal mask leaves 36 of 64 blocks, whichever way the stream runs.
TEST(CascadeMask, IsLeftOutOfFlops) {
  const AttentionShape s{2, 512, 512, 16, 16};
  auto check = [](const CascadeSpec& spec, int count) {
    CascadeProgram program(spec.text());
    const double points = 2 * 512 * 512 * 36.0 / 64, products = count * 2 * points * 16;
    EXPECT_GT(program.flops(), products);
    EXPECT_LT(program.flops(), products + 10 * points);
  };
  check(attention(s, "f32", true, band_lines(1, 2, 1000)), 2);
  check(attention_dq(s, band_lines(1, 2, 1000)), 3);
  check(attention_dkv(s, band_lines(2, 1, 1000)), 4);
}

}  // namespace
}  // namespace tessera::test
