// Cascades against plain loops in f64.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include <tessera/core/convert.h>

#include "tests/codegen/cascade_program.h"

namespace tessera::test {
namespace {

using Doubles = std::vector<double>;
constexpr double infinity = std::numeric_limits<double>::infinity();

std::vector<float> noise(int64_t n, uint32_t seed, float scale = 1) {
  std::vector<float> x(static_cast<size_t>(n));
  for (float& v : x) {
    seed = seed * 1664525u + 1013904223u;
    v = (static_cast<float>(seed >> 8) * 0x1p-23f - 1.f) * scale;
  }
  return x;
}

template <class T> BufferPtr buffer(const std::vector<T>& values) {
  auto made = std::make_shared<Buffer>(values.size() * sizeof(T));
  std::memcpy(made->data(), values.data(), values.size() * sizeof(T));
  return made;
}

template <class T> std::vector<T> values(const BufferPtr& from) {
  return std::vector<T>(from->as<T>(), from->as<T>() + from->bytes() / sizeof(T));
}

void expect_close(const std::vector<float>& got, const Doubles& want, double tolerance, const std::string& what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  for (size_t k = 0; k < got.size(); ++k) {
    if (std::isnan(want[k])) {
      ASSERT_TRUE(std::isnan(got[k])) << what << " " << k << ": " << got[k];
    } else if (std::isinf(want[k])) {
      ASSERT_EQ(got[k], want[k]) << what << " " << k;
    } else {
      ASSERT_NEAR(got[k], want[k], tolerance * (1 + std::fabs(want[k]))) << what << " " << k;
    }
  }
}

// Runs on 1, 2, 3 and 8 threads, and wants the same bits from each.
std::vector<BufferPtr> run_on_threads(CascadeProgram& program, const std::vector<BufferPtr>& arguments) {
  auto first = program.run(arguments, 1);
  for (int threads : {2, 3, 8}) {
    auto other = program.run(arguments, threads);
    for (size_t k = 0; k < first.size(); ++k) {
      EXPECT_EQ(std::memcmp(first[k]->data(), other[k]->data(), first[k]->bytes()), 0) << threads << " threads";
    }
  }
  return first;
}

std::string name_of(const AttentionShape& s) {
  std::string text = "attention";
  for (int64_t x : {s.batch, s.rows, s.columns, s.depth, s.values}) text += " " + std::to_string(x);
  return text;
}

struct Inputs {
  std::vector<float> q, k, v, dy;
  explicit Inputs(const AttentionShape& s, float sharpness = 1)
      : q(noise(s.batch * s.rows * s.depth, 1, sharpness * 3.f / std::sqrt(static_cast<float>(s.depth)))),
        k(noise(s.batch * s.columns * s.depth, 2, 3)),
        v(noise(s.batch * s.columns * s.values, 3)),
        dy(noise(s.batch * s.rows * s.values, 4)) {}
};

using Mask = std::function<bool(int64_t row, int64_t column)>;

// By definition, in f64.
struct Expected {
  Doubles o, lse, delta, dq, dk, dv;

  Expected(const AttentionShape& s, const Inputs& in, const Mask& mask) {
    auto at = [](int64_t i) { return static_cast<size_t>(i); };
    o.assign(in.dy.size(), 0), dq.assign(in.q.size(), 0), dk.assign(in.k.size(), 0), dv.assign(in.v.size(), 0);
    Doubles p(at(s.columns)), dp(at(s.columns));
    for (int64_t b = 0; b < s.batch; ++b) {
      for (int64_t m = 0; m < s.rows; ++m) {
        const int64_t row = b * s.rows + m;
        double largest = -infinity, sum = 0, y_dy = 0;
        for (int64_t n = 0; n < s.columns; ++n) {
          double x = 0;
          for (int64_t d = 0; d < s.depth; ++d) {
            x += double(in.q[at(row * s.depth + d)]) * in.k[at((b * s.columns + n) * s.depth + d)];
          }
          p[at(n)] = mask && !mask(m, n) ? -infinity : x;
          largest = std::max(largest, p[at(n)]);
        }
        for (double& x : p) x = x == -infinity ? 0 : std::exp(x - largest), sum += x;
        lse.push_back(largest + std::log(sum));
        for (int64_t n = 0; n < s.columns; ++n) {
          if (sum > 0) p[at(n)] /= sum;
          dp[at(n)] = 0;
          for (int64_t e = 0; e < s.values; ++e) {
            const size_t v = at((b * s.columns + n) * s.values + e), y = at(row * s.values + e);
            o[y] += p[at(n)] * in.v[v];
            dv[v] += p[at(n)] * in.dy[y];
            dp[at(n)] += double(in.dy[y]) * in.v[v];
          }
          y_dy += p[at(n)] * dp[at(n)];
        }
        delta.push_back(y_dy);
        for (int64_t n = 0; n < s.columns; ++n) {
          const double ds = p[at(n)] * (dp[at(n)] - y_dy);
          for (int64_t d = 0; d < s.depth; ++d) {
            const size_t q = at(row * s.depth + d), k = at((b * s.columns + n) * s.depth + d);
            dq[q] += ds * in.k[k];
            dk[k] += ds * in.q[q];
          }
        }
      }
    }
  }
};

std::vector<float> floats(const Doubles& x) { return {x.begin(), x.end()}; }

void check_forward(const AttentionShape& s, const std::string& lines = "", const Mask& mask = nullptr) {
  CascadeProgram program(attention(s, "f32", true, lines).text());
  const Inputs in(s);
  const Expected want(s, in, mask);
  auto got = run_on_threads(program, {buffer(in.q), buffer(in.k), buffer(in.v)});
  expect_close(values<float>(got[0]), want.o, 2e-5, name_of(s));
  expect_close(values<float>(got[1]), want.lse, 2e-5, name_of(s) + " lse");
}

void check_backward(const AttentionShape& s, const std::string& row_lines = "", const std::string& column_lines = "",
                    const Mask& mask = nullptr) {
  const Inputs in(s);
  const Expected want(s, in, mask);
  std::vector<BufferPtr> arguments = {
      buffer(in.q), buffer(in.k), buffer(in.v), buffer(in.dy), buffer(floats(want.lse)), buffer(floats(want.delta))};
  CascadeProgram rows(attention_dq(s, row_lines).text()), columns(attention_dkv(s, column_lines).text());
  auto dq = run_on_threads(rows, arguments), dkv = run_on_threads(columns, arguments);
  expect_close(values<float>(dq[0]), want.dq, 1e-4, name_of(s) + " dq");
  expect_close(values<float>(dkv[0]), want.dk, 1e-4, name_of(s) + " dk");
  expect_close(values<float>(dkv[1]), want.dv, 1e-4, name_of(s) + " dv");
}

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

TEST(Cascade, SoftmaxAttention) {
  check_forward({2, 64, 96, 16, 24});
  check_forward({3, 300, 257, 32, 32});
}

// Exponentials of these scores are ∞ in f32, those of their distance to the maximum are not.
TEST(Cascade, ScoresWhoseExponentialsOverflow) {
  const AttentionShape s{2, 40, 300, 16, 8};
  const Inputs in(s, 60);
  const Expected want(s, in, nullptr);
  EXPECT_GT(*std::max_element(want.lse.begin(), want.lse.end()), 100);
  CascadeProgram program(attention(s).text());
  auto got = run_on_threads(program, {buffer(in.q), buffer(in.k), buffer(in.v)});
  expect_close(values<float>(got[0]), want.o, 1e-3, "values");
  expect_close(values<float>(got[1]), want.lse, 1e-5, "lse");
}

TEST(Cascade, RowsAndColumnsOfRaggedSizes) {
  for (int64_t rows : {1, 7, 31, 33, 100, 257}) check_forward({1, rows, 100, 8, 8});
  for (int64_t columns : {1, 7, 31, 33, 257}) check_forward({1, 33, columns, 8, 8});
}

TEST(Cascade, HeadDims) {
  for (int64_t depth : {1, 8, 40, 64, 80, 128, 256}) check_forward({1, 70, 150, depth, depth});
  check_forward({1, 40, 150, 600, 7});  // a depth of several blocks
}

// Every row sees itself, and at first whole blocks of columns that it does not: −∞ less −∞ must not get out.
TEST(Cascade, MasksWithoutGuards) {
  auto band = [](int64_t window) { return [window](int64_t m, int64_t n) { return m >= n && m - n < window; }; };
  check_forward({2, 300, 300, 16, 16}, band_lines(1, 2, 1000), band(1000));
  check_forward({2, 500, 500, 16, 16}, band_lines(1, 2, 40), band(40));
  check_backward({2, 300, 300, 16, 16}, band_lines(1, 2, 1000), band_lines(2, 1, 1000), band(1000));
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
TEST(Cascade, SkippingChangesNoBit) {
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
TEST(Cascade, EmptyBlocksAreSkipped) {
  const AttentionShape s{2, 100, 384, 16, 16};
  const std::vector<int64_t> lengths{100, 250}, clean{128, 256};  // whole blocks of columns stay clean
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
TEST(Cascade, RowsThatSeeNothing) {
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

TEST(Cascade, Gradients) {
  check_backward({2, 64, 96, 16, 24});
  check_backward({1, 257, 100, 40, 40});
  check_backward({1, 31, 300, 64, 64});
}

TEST(Cascade, NarrowStorage) {
  const AttentionShape s{2, 70, 140, 32, 40};
  CascadeProgram program(attention(s, "bf16").text());
  Inputs in(s);
  auto narrow = [](std::vector<float>& x) {
    std::vector<uint16_t> bits;
    for (float& v : x) {
      bits.push_back(float_to_bf16(v));
      v = bf16_to_float(bits.back());
    }
    return bits;
  };
  const auto q = narrow(in.q), k = narrow(in.k), v = narrow(in.v);
  const Expected want(s, in, nullptr);
  auto got = run_on_threads(program, {buffer(q), buffer(k), buffer(v)});
  std::vector<float> o;
  for (uint16_t bits : values<uint16_t>(got[0])) o.push_back(bf16_to_float(bits));
  expect_close(o, want.o, 8e-3, "values");  // weights and results are rounded to 8 bits
  expect_close(values<float>(got[1]), want.lse, 2e-5, "lse");
}

// Several query heads share keys: their index divides.
TEST(Cascade, GroupedHeads) {
  const int64_t heads = 6, shared = 2, rows = 50, columns = 70, depth = 16;
  CascadeSpec spec = attention({heads, rows, columns, depth, depth});
  spec.ins[1] = {"f32", shared * columns * depth, {}, "(d0 floordiv 3) * 1120 + d2 * 16 + d3"};
  spec.ins[2] = {"f32", shared * columns * depth, {}, "(d0 floordiv 3) * 1120 + d2 * 16 + d4"};
  CascadeProgram program(spec.text());
  Inputs in({heads, rows, columns, depth, depth});
  const auto k = noise(shared * columns * depth, 2, 3), v = noise(shared * columns * depth, 3);
  for (size_t i = 0; i < in.k.size(); ++i) {
    const size_t head = i / 1120, from = head / 3 * 1120 + i % 1120;
    in.k[i] = k[from], in.v[i] = v[from];
  }
  const Expected want({heads, rows, columns, depth, depth}, in, nullptr);
  auto got = run_on_threads(program, {buffer(in.q), buffer(k), buffer(v)});
  expect_close(values<float>(got[0]), want.o, 2e-5, "values");
}

// Gradient of shared keys and values: the stream runs over the heads that share them, then over queries.
TEST(Cascade, StreamOfTwoDims) {
  const AttentionShape s{4, 150, 60, 16, 24};  // two groups of two heads
  Inputs in(s);
  const int64_t share = 2, groups = 2;
  for (int64_t b = 1; b < s.batch; b += 2) {  // both heads of a group have the same keys
    std::copy_n(in.k.begin() + (b - 1) * s.columns * s.depth, s.columns * s.depth,
                in.k.begin() + b * s.columns * s.depth);
    std::copy_n(in.v.begin() + (b - 1) * s.columns * s.values, s.columns * s.values,
                in.v.begin() + b * s.columns * s.values);
  }
  const Expected want(s, in, nullptr);
  CascadeSpec spec;  // dims: group, key, head, query, depth, values
  const int64_t d = s.depth, e = s.values, m = s.rows, n = s.columns;
  spec.dims = {groups, n, share, m, d, e};
  spec.batch = 1, spec.stream = 2;
  spec.ins = {{"f32", 4 * m * d, {share * m * d, 0, m * d, d, 1, 0}, ""},
              {"f32", 4 * n * d, {share * n * d, d, 0, 0, 1, 0}, ""},
              {"f32", 4 * n * e, {share * n * e, e, 0, 0, 0, 1}, ""},
              {"f32", 4 * m * e, {share * m * e, 0, m * e, e, 0, 1}, ""},
              {"f32", 4 * m, {share * m, 0, m, 1, 0, 0}, ""},
              {"f32", 4 * m, {share * m, 0, m, 1, 0, 0}, ""}};
  spec.outs = {{"f32", groups * n * d, {n * d, d, 0, 0, 1, 0}, ""},
               {"f32", groups * n * e, {n * e, e, 0, 0, 0, 1}, ""}};
  spec.body = R"(%s = fuse.contract %x0, %x1 over [4] : f32 -> f32
%dp = fuse.contract %x3, %x2 over [5] : f32 -> f32
%t = arith.subf %s, %x4 : f32
%p = math.exp %t : f32
%u = arith.subf %dp, %x5 : f32
%ds = arith.mulf %p, %u : f32
%dk = fuse.contract %ds, %x0 over [2, 3] : f32 -> f32
%dv = fuse.contract %p, %x3 over [2, 3] : f32 -> f32
fuse.yield %dk, %dv : f32, f32
)";
  CascadeProgram program(spec.text());
  auto got = run_on_threads(program, {buffer(in.q), buffer(in.k), buffer(in.v), buffer(in.dy), buffer(floats(want.lse)),
                                      buffer(floats(want.delta))});
  auto over_group = [&](const Doubles& each, int64_t size) {
    Doubles sum;
    for (int64_t g = 0; g < groups; ++g) {
      for (int64_t i = 0; i < size; ++i) {
        sum.push_back(each[static_cast<size_t>(2 * g * size + i)] + each[static_cast<size_t>((2 * g + 1) * size + i)]);
      }
    }
    return sum;
  };
  expect_close(values<float>(got[0]), over_group(want.dk, n * d), 1e-4, "dk");
  expect_close(values<float>(got[1]), over_group(want.dv, n * e), 1e-4, "dv");
}

// No statistic: weights are sigmoids. No batch dim.
TEST(Cascade, SigmoidAttention) {
  const int64_t m = 130, n = 140, d = 16;
  CascadeSpec spec;
  spec.dims = {m, n, d, d};
  spec.ins = {{"f32", m * d, {d, 0, 1, 0}, ""}, {"f32", n * d, {0, d, 1, 0}, ""}, {"f32", n * d, {0, d, 0, 1}, ""}};
  spec.outs = {{"f32", m * d, {d, 0, 0, 1}, ""}};
  spec.body = R"(%s = fuse.contract %x0, %x1 over [2] : f32 -> f32
%one = arith.constant 1.0 : f32
%t = arith.negf %s : f32
%u = math.exp %t : f32
%w = arith.addf %u, %one : f32
%p = arith.divf %one, %w : f32
%o = fuse.contract %p, %x2 over [1] : f32 -> f32
fuse.yield %o : f32
)";
  CascadeProgram program(spec.text());
  const auto q = noise(m * d, 1), k = noise(n * d, 2), v = noise(n * d, 3);
  Doubles want(static_cast<size_t>(m * d), 0);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double x = 0;
      for (int64_t c = 0; c < d; ++c)
        x += double(q[static_cast<size_t>(i * d + c)]) * k[static_cast<size_t>(j * d + c)];
      for (int64_t c = 0; c < d; ++c) {
        want[static_cast<size_t>(i * d + c)] += v[static_cast<size_t>(j * d + c)] / (1 + std::exp(-x));
      }
    }
  }
  auto got = run_on_threads(program, {buffer(q), buffer(k), buffer(v)});
  expect_close(values<float>(got[0]), want, 2e-5, "values");
}

// Statistics alone: logsumexp of a product, and the entry at a label, tokens by words.
TEST(Cascade, CrossEntropy) {
  const int64_t m = 45, n = 1000, d = 72;
  CascadeSpec spec;
  spec.dims = {m, n, d};
  spec.ins = {{"f32", m * d, {d, 0, 1}, ""}, {"f32", n * d, {0, d, 1}, ""}, {"i64", m, {1, 0, 0}, ""}};
  spec.outs = {{"f32", m, {1, 0, 0}, ""}};
  spec.body = R"(%s = fuse.contract %x0, %x1 over [2] : f32 -> f32
%max = fuse.reduce max %s over [1] : f32
%t = arith.subf %s, %max : f32
%p = math.exp %t : f32
%sum = fuse.reduce sum %p over [1] : f32
)" + repair_by_max("%sum", "%max") +
              R"(%i = fuse.index affine_map<(d0, d1, d2) -> (d1)>
%j = arith.index_cast %i : index to i64
%here = arith.cmpi eq, %j, %x2 : i64
%zero = arith.constant 0.0 : f32
%entry = arith.select %here, %s, %zero : f32
%label = fuse.reduce sum %entry over [1] : f32
%l = math.log %sum : f32
%lse = arith.addf %max, %l : f32
%loss = arith.subf %lse, %label : f32
fuse.yield %loss : f32
)";
  CascadeProgram program(spec.text());
  const auto x = noise(m * d, 1), w = noise(n * d, 2);
  std::vector<int64_t> labels;
  Doubles want;
  for (int64_t i = 0; i < m; ++i) {
    labels.push_back(i * 997 % n);
    Doubles s;
    double sum = 0;
    for (int64_t j = 0; j < n; ++j) {
      s.push_back(0);
      for (int64_t c = 0; c < d; ++c)
        s.back() += double(x[static_cast<size_t>(i * d + c)]) * w[static_cast<size_t>(j * d + c)];
      sum += std::exp(s.back());
    }
    want.push_back(std::log(sum) - s[static_cast<size_t>(labels.back())]);
  }
  auto got = run_on_threads(program, {buffer(x), buffer(w), buffer(labels)});
  expect_close(values<float>(got[0]), want, 2e-5, "loss");
}

// What is of the plane and depends on no statistic may be a result. Two batch dims, the second walked in another order.
TEST(Cascade, PlaneResult) {
  const int64_t a = 2, b = 3, m = 40, n = 150, d = 8;
  CascadeSpec spec;
  spec.dims = {a, b, m, n, d};
  spec.batch = 2;
  spec.ins = {{"f32", a * b * m * d, {b * m * d, d, b * d, 0, 1}, ""},  // [a, m, b, d]
              {"f32", a * b * n * d, {b * n * d, n * d, 0, d, 1}, ""}};
  spec.outs = {{"f32", a * b * m * n, {b * m * n, m * n, n, 1, 0}, ""}, {"f32", a * b * m, {b * m, m, 1, 0, 0}, ""}};
  spec.body = R"(%s = fuse.contract %x0, %x1 over [4] : f32 -> f32
%t = math.tanh %s : f32
%sum = fuse.reduce sum %t over [3] : f32
fuse.yield %t, %sum : f32, f32
)";
  CascadeProgram program(spec.text());
  const auto x = noise(a * b * m * d, 1), y = noise(a * b * n * d, 2);
  Doubles plane, sums;
  for (int64_t i = 0; i < a; ++i) {
    for (int64_t j = 0; j < b; ++j) {
      for (int64_t r = 0; r < m; ++r) {
        sums.push_back(0);
        for (int64_t c = 0; c < n; ++c) {
          double s = 0;
          for (int64_t e = 0; e < d; ++e) {
            s += double(x[static_cast<size_t>(((i * m + r) * b + j) * d + e)]) *
                 y[static_cast<size_t>(((i * b + j) * n + c) * d + e)];
          }
          plane.push_back(std::tanh(s));
          sums.back() += plane.back();
        }
      }
    }
  }
  auto got = run_on_threads(program, {buffer(x), buffer(y)});
  expect_close(values<float>(got[0]), plane, 1e-5, "plane");
  expect_close(values<float>(got[1]), sums, 1e-4, "sums");
}

// A captured table whose map is not linear in the plane.
TEST(Cascade, CapturedTable) {
  const int64_t m = 90, n = 200, d = 16;
  CascadeSpec spec;
  spec.dims = {m, n, d, d};
  spec.ins = {{"f32", m * d, {d, 0, 1, 0}, ""},
              {"f32", n * d, {0, d, 1, 0}, ""},
              {"f32", n * d, {0, d, 0, 1}, ""},
              {"f32", 45 * 50, {}, "(d0 floordiv 2) * 50 + d1 floordiv 4"}};
  spec.outs = {{"f32", m * d, {d, 0, 0, 1}, ""}};
  spec.body = R"(%s = fuse.contract %x0, %x1 over [2] : f32 -> f32
%p = arith.addf %s, %x3 : f32
%o = fuse.contract %p, %x2 over [1] : f32 -> f32
fuse.yield %o : f32
)";
  CascadeProgram program(spec.text());
  const auto q = noise(m * d, 1), k = noise(n * d, 2), v = noise(n * d, 3), bias = noise(45 * 50, 4);
  Doubles want(static_cast<size_t>(m * d), 0);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double x = bias[static_cast<size_t>(i / 2 * 50 + j / 4)];
      for (int64_t c = 0; c < d; ++c)
        x += double(q[static_cast<size_t>(i * d + c)]) * k[static_cast<size_t>(j * d + c)];
      for (int64_t c = 0; c < d; ++c) want[static_cast<size_t>(i * d + c)] += x * v[static_cast<size_t>(j * d + c)];
    }
  }
  auto got = run_on_threads(program, {buffer(q), buffer(k), buffer(v), buffer(bias)});
  expect_close(values<float>(got[0]), want, 5e-5, "values");
}

TEST(Cascade, ShowsInThePlan) {
  CascadeProgram program(attention({2, 64, 96, 16, 24}).text());
  EXPECT_NE(program.plan_text().find("cascade"), std::string::npos) << program.plan_text();
  // Two products of 2·64·96·16 and 2·64·96·24, and what is done at each point of the plane, row and result.
  const double points = 2 * 64 * 96, products = 2 * points * (16 + 24);
  EXPECT_GT(program.flops(), products);
  EXPECT_LT(program.flops(), products + 10 * points);
}

// A causal mask leaves 36 of 64 blocks, whichever way the stream runs.
TEST(Cascade, CountsWhatMasksLeave) {
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
