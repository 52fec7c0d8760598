#include "tests/codegen/cascade_expected.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

namespace tessera::test {
namespace {

std::string name_of(const AttentionShape& s) {
  std::string text = "attention";
  for (int64_t x : {s.batch, s.rows, s.columns, s.depth, s.values}) text += " " + std::to_string(x);
  return text;
}

}  // namespace

std::vector<float> noise(int64_t n, uint32_t seed, float scale) {
  std::vector<float> x(static_cast<size_t>(n));
  for (float& v : x) {
    seed = seed * 1664525u + 1013904223u;
    v = (static_cast<float>(seed >> 8) * 0x1p-23f - 1.f) * scale;
  }
  return x;
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

Inputs::Inputs(const AttentionShape& s, float sharpness)
    : q(noise(s.batch * s.rows * s.depth, 1, sharpness * 3.f / std::sqrt(static_cast<float>(s.depth)))),
      k(noise(s.batch * s.columns * s.depth, 2, 3)),
      v(noise(s.batch * s.columns * s.values, 3)),
      dy(noise(s.batch * s.rows * s.values, 4)) {}

Expected::Expected(const AttentionShape& s, const Inputs& in, const Mask& mask) {
  auto at = [](int64_t i) { return static_cast<size_t>(i); };
  o.assign(in.dy.size(), 0), dq.assign(in.q.size(), 0), dk.assign(in.k.size(), 0), dv.assign(in.v.size(), 0);
  dbias.assign(at(s.rows * s.columns), 0);
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
        dbias[at(m * s.columns + n)] += ds;
        for (int64_t d = 0; d < s.depth; ++d) {
          const size_t q = at(row * s.depth + d), k = at((b * s.columns + n) * s.depth + d);
          dq[q] += ds * in.k[k];
          dk[k] += ds * in.q[q];
        }
      }
    }
  }
}

std::vector<float> floats(const Doubles& x) { return {x.begin(), x.end()}; }

void check_forward(const AttentionShape& s, const std::string& lines, const Mask& mask) {
  CascadeProgram program(attention(s, "f32", true, lines).text());
  const Inputs in(s);
  const Expected want(s, in, mask);
  auto got = run_on_threads(program, {buffer(in.q), buffer(in.k), buffer(in.v)});
  expect_close(values<float>(got[0]), want.o, 2e-5, name_of(s));
  expect_close(values<float>(got[1]), want.lse, 2e-5, name_of(s) + " lse");
}

void check_backward(const AttentionShape& s, const std::string& row_lines, const std::string& column_lines,
                    const Mask& mask) {
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

}  // namespace tessera::test
