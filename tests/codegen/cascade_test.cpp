// Cascades against plain loops in f64.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include <tessera/core/convert.h>

#include "tests/codegen/cascade_expected.h"

namespace tessera::test {
namespace {

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

TEST(Cascade, Gradients) {
  check_backward({2, 64, 96, 16, 24});
  check_backward({1, 257, 100, 40, 40});
  check_backward({1, 31, 300, 64, 64});
}

void check_narrow_storage(const AttentionShape& s) {
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

TEST(Cascade, NarrowStorage) {
  check_narrow_storage({2, 70, 140, 32, 40});
  check_narrow_storage({2, 3, 1400, 20, 72});  // read where it lies
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
void check_stream_of_two_dims(int64_t queries, int64_t launches) {
  const AttentionShape s{4, queries, 60, 16, 24};  // two groups of two heads
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
  EXPECT_EQ(program.launches(), launches);
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

TEST(Cascade, StreamOfTwoDims) {
  check_stream_of_two_dims(150, 1);
  check_stream_of_two_dims(700, 2);  // three parts: the second ends with one head and begins with the other
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

// A stream that few tasks would read is cut, by shape alone, and what is known of its parts merged.
TEST(Cascade, FewQueriesOfALongStream) {
  for (int64_t rows : {1, 2, 3, 5, 8}) {
    const AttentionShape s{3, rows, 2600, 24, 40};
    EXPECT_EQ(CascadeProgram(attention(s).text()).launches(), 2);
    check_forward(s);
  }
  check_forward({1, 1, 4099, 64, 64});
  check_forward({1, 70, 3000, 16, 16});  // several tiles of rows
}

// Products of few rows read keys and values where they lie, in whole vectors and in parts of one.
TEST(Cascade, FewQueriesOfAnyWidth) {
  for (int64_t rows : {1, 4, 5}) {
    check_forward({1, rows, 150, 600, 7});
    check_forward({1, rows, 100, 1, 1});
    check_forward({2, rows, 333, 33, 130});
  }
}

// Keys that are stored by depth cannot be read so.
TEST(Cascade, FewQueriesOfKeysThatLieAcross) {
  const AttentionShape s{2, 3, 2000, 24, 40};
  CascadeSpec spec = attention(s);
  spec.ins[1].strides = {s.columns * s.depth, 0, 1, s.columns, 0};
  CascadeProgram program(spec.text());
  const Inputs in(s);
  std::vector<float> across(in.k.size());
  for (size_t i = 0; i < across.size(); ++i) {
    const size_t d = i % 24, n = i / 24 % 2000, b = i / 24 / 2000;
    across[(b * 24 + d) * 2000 + n] = in.k[i];
  }
  const Expected want(s, in, nullptr);
  auto got = run_on_threads(program, {buffer(in.q), buffer(across), buffer(in.v)});
  expect_close(values<float>(got[0]), want.o, 2e-5, "values");
}

TEST(Cascade, ManyTasksReadTheirStreamFromEndToEnd) {
  EXPECT_EQ(CascadeProgram(attention({16, 1, 4096, 16, 16}).text()).launches(), 1);
  EXPECT_EQ(CascadeProgram(attention({1, 1, 700, 16, 16}).text()).launches(), 1);
}

// Sums that nothing repairs.
TEST(Cascade, GradientsOfFewQueries) { check_backward({2, 3, 2100, 16, 24}); }

TEST(Cascade, ScoresWhoseExponentialsOverflowInSomeParts) {
  const AttentionShape s{2, 2, 3000, 16, 8};
  const Inputs in(s, 60);
  const Expected want(s, in, nullptr);
  CascadeProgram program(attention(s).text());
  auto got = run_on_threads(program, {buffer(in.q), buffer(in.k), buffer(in.v)});
  expect_close(values<float>(got[0]), want.o, 1e-3, "values");
  expect_close(values<float>(got[1]), want.lse, 1e-5, "lse");
}

TEST(Cascade, ShowsInThePlan) {
  CascadeProgram program(attention({2, 64, 96, 16, 24}).text());
  EXPECT_NE(program.plan_text().find("cascade"), std::string::npos) << program.plan_text();
  // Two products of 2·64·96·16 and 2·64·96·24, and what is done at each point of the plane, row and result.
  const double points = 2 * 64 * 96, products = 2 * points * (16 + 24);
  EXPECT_GT(program.flops(), products);
  EXPECT_LT(program.flops(), products + 10 * points);
}

}  // namespace
}  // namespace tessera::test
