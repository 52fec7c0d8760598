// Row and column reductions against plain loops.

#include <cmath>

#include "tests/codegen/fuse_run.h"

namespace tessera::codegen::test {
namespace {

std::vector<float> noise(size_t n, uint32_t seed = 1) {
  std::vector<float> x(n);
  for (float& v : x) {
    seed = seed * 1664525u + 1013904223u;
    v = static_cast<float>(seed >> 8) * 0x1p-23f - 1.f;
  }
  return x;
}

std::string number(int64_t n) { return std::to_string(n); }

void expect_close(const std::vector<float>& got, const std::vector<double>& want, double tolerance) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t k = 0; k < got.size(); ++k) ASSERT_NEAR(got[k], want[k], tolerance * (1 + std::fabs(want[k]))) << k;
}

// softmax over the rows of [m, n], read with the given strides.
std::string softmax_text(int m, int n, int row_stride, int column_stride) {
  std::string type = "tensor<" + number(m * n) + "xf32>";
  std::string map = "affine_map<(d0, d1) -> (d0 * " + number(row_stride) + " + d1 * " + number(column_stride) + ")>";
  return "func.func @program(%x: " + type + ") -> " + type + " {\n  %y = fuse.kernel \"softmax\" dims [" + number(m) +
         ", " + number(n) + "] outer 1 ins(%x : " + type + ") at [" + map + "] outs at [" + map + R"(] {
  ^bb0(%v: f32):
    %m = fuse.reduce max %v over [1] : f32
    %d = arith.subf %v, %m : f32
    %e = math.exp %d : f32
    %s = fuse.reduce sum %e over [1] : f32
    %p = arith.divf %e, %s : f32
    fuse.yield %p : f32
  } -> )" +
         type + "\n  return %y : " + type + "\n}";
}

void check_softmax(int m, int n, bool transposed) {
  int row_stride = transposed ? 1 : n, column_stride = transposed ? m : 1;
  FuseProgram program(softmax_text(m, n, row_stride, column_stride));
  auto x = noise(static_cast<size_t>(m * n));
  for (float& v : x) v *= 8;
  auto y = values<float>(program.run({buffer(x)})[0]);
  std::vector<double> want(x.size());
  for (int i = 0; i < m; ++i) {
    auto at = [&](int j) { return static_cast<size_t>(i * row_stride + j * column_stride); };
    double largest = -1e30, sum = 0;
    for (int j = 0; j < n; ++j) largest = std::max<double>(largest, x[at(j)]);
    for (int j = 0; j < n; ++j) sum += std::exp(x[at(j)] - largest);
    for (int j = 0; j < n; ++j) want[at(j)] = std::exp(x[at(j)] - largest) / sum;
  }
  expect_close(y, want, 1e-6);
}

TEST(Rows, SoftmaxAlongUnitStride) {
  for (int n : {1, 5, 16, 33, 256, 1000}) check_softmax(7, n, false);
  check_softmax(300, 64, false);
}

TEST(Rows, SoftmaxAlongALongStride) {
  for (int m : {1, 5, 16, 33, 256}) check_softmax(m, 9, true);
}

TEST(Rows, SumsOfColumns) {
  // A bias gradient: the sum over all rows, at several widths; once many, once few columns.
  for (auto [m, n] : {std::pair{1000, 24}, {37, 4096}, {5000, 1}, {3, 7}}) {
    std::string in = "tensor<" + number(m) + "x" + number(n) + "xf32>", out = "tensor<" + number(n) + "xf32>";
    FuseProgram program("func.func @program(%x: " + in + ") -> " + out + " {\n %y = fuse.kernel \"bias\" dims [" +
                        number(m) + ", " + number(n) + "] outer 1 ins(%x : " + in +
                        ") at [affine_map<(d0, d1) -> (d0 * " + number(n) +
                        R"( + d1)>] outs at [affine_map<(d0, d1) -> (d1)>] {
      ^bb0(%v: f32):
        %s = fuse.reduce sum %v over [0] : f32
        fuse.yield %s : f32
      } -> )" + out +
                        "\n return %y : " + out + "\n}");
    auto x = noise(static_cast<size_t>(m * n));
    auto y = values<float>(program.run({buffer(x)})[0]);
    std::vector<double> want(static_cast<size_t>(n));
    for (size_t k = 0; k < x.size(); ++k) want[k % static_cast<size_t>(n)] += x[k];
    expect_close(y, want, 1e-4);
  }
}

TEST(Rows, SumOfEverything) {
  for (int n : {1, 100, 100000}) {
    std::string in = "tensor<" + number(n) + "xf32>";
    FuseProgram program("func.func @program(%x: " + in + ") -> tensor<f32> {\n %y = fuse.kernel \"total\" dims [" +
                        number(n) + "] outer 1 ins(%x : " + in +
                        R"() at [affine_map<(d0) -> (d0)>] outs at [affine_map<(d0) -> (0)>] {
      ^bb0(%v: f32):
        %s = fuse.reduce sum %v over [0] : f32
        fuse.yield %s : f32
      } -> tensor<f32>
      return %y : tensor<f32>
    })");
    auto x = noise(static_cast<size_t>(n));
    double want = 0;
    for (float v : x) want += v;
    expect_close(values<float>(program.run({buffer(x)})[0]), {want}, 1e-4);
  }
}

TEST(Rows, LayerNormBackward) {
  // Row statistics, a plain result and two column reductions of what depends on them, in one kernel.
  int m = 70, n = 96;
  FuseProgram program(R"(
    func.func @program(%x: tensor<70x96xf32>, %g: tensor<96xf32>, %dy: tensor<70x96xf32>)
        -> (tensor<70x96xf32>, tensor<96xf32>, tensor<96xf32>) {
      %r:3 = fuse.kernel "ln_backward" dims [70, 96] outer 1
        ins(%x, %g, %dy : tensor<70x96xf32>, tensor<96xf32>, tensor<70x96xf32>)
        at [affine_map<(d0, d1) -> (d0 * 96 + d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0 * 96 + d1)>]
        outs at [affine_map<(d0, d1) -> (d0 * 96 + d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d1)>] {
      ^bb0(%v: f32, %w: f32, %d: f32):
        %n = arith.constant 0.010416666666 : f32
        %eps = arith.constant 1.0e-5 : f32
        %s = fuse.reduce sum %v over [1] : f32
        %mean = arith.mulf %s, %n : f32
        %c = arith.subf %v, %mean : f32
        %cc = arith.mulf %c, %c : f32
        %q = fuse.reduce sum %cc over [1] : f32
        %var = arith.mulf %q, %n : f32
        %ve = arith.addf %var, %eps : f32
        %rs = math.rsqrt %ve : f32
        %xh = arith.mulf %c, %rs : f32
        %dg = arith.mulf %d, %w : f32
        %a = fuse.reduce sum %dg over [1] : f32
        %dgx = arith.mulf %dg, %xh : f32
        %b = fuse.reduce sum %dgx over [1] : f32
        %am = arith.mulf %a, %n : f32
        %bm = arith.mulf %b, %n : f32
        %t = arith.mulf %xh, %bm : f32
        %u = arith.subf %dg, %am : f32
        %z = arith.subf %u, %t : f32
        %dx = arith.mulf %z, %rs : f32
        %dyx = arith.mulf %d, %xh : f32
        %dgamma = fuse.reduce sum %dyx over [0] : f32
        %dbeta = fuse.reduce sum %d over [0] : f32
        fuse.yield %dx, %dgamma, %dbeta : f32, f32, f32
      } -> tensor<70x96xf32>, tensor<96xf32>, tensor<96xf32>
      return %r#0, %r#1, %r#2 : tensor<70x96xf32>, tensor<96xf32>, tensor<96xf32>
    })");
  auto x = noise(static_cast<size_t>(m * n), 3), g = noise(static_cast<size_t>(n), 5),
       dy = noise(static_cast<size_t>(m * n), 7);
  auto results = program.run({buffer(x), buffer(g), buffer(dy)});
  std::vector<double> dx(x.size()), dgamma(g.size()), dbeta(g.size());
  for (int i = 0; i < m; ++i) {
    auto at = [&](int j) { return static_cast<size_t>(i * n + j); };
    double mean = 0, var = 0, a = 0, b = 0;
    for (int j = 0; j < n; ++j) mean += x[at(j)] / n;
    for (int j = 0; j < n; ++j) var += (x[at(j)] - mean) * (x[at(j)] - mean) / n;
    double rs = 1 / std::sqrt(var + 1e-5);
    for (int j = 0; j < n; ++j) {
      double xh = (x[at(j)] - mean) * rs, dg = dy[at(j)] * g[static_cast<size_t>(j)];
      a += dg / n, b += dg * xh / n;
      dgamma[static_cast<size_t>(j)] += dy[at(j)] * xh;
      dbeta[static_cast<size_t>(j)] += dy[at(j)];
    }
    for (int j = 0; j < n; ++j) {
      double xh = (x[at(j)] - mean) * rs;
      dx[at(j)] = (dy[at(j)] * g[static_cast<size_t>(j)] - a - xh * b) * rs;
    }
  }
  expect_close(values<float>(results[0]), dx, 1e-4);
  expect_close(values<float>(results[1]), dgamma, 1e-4);
  expect_close(values<float>(results[2]), dbeta, 1e-4);
}

// As in the backward of group norm: sums over the row, and over a part of it, which another kernel goes on from.
void check_part_of_row(int rows, int channels, int pixels) {
  const int all = rows * channels * pixels;
  std::string x_type = "tensor<" + number(all) + "xf32>", s_type = "tensor<" + number(rows * channels) + "xf32>";
  std::string map =
      "affine_map<(d0, d1, d2) -> (d0 * " + number(channels * pixels) + " + d1 * " + number(pixels) + " + d2)>";
  std::string s_map = "affine_map<(d0, d1, d2) -> (d0 * " + number(channels) + " + d1)>";
  FuseProgram program("func.func @program(%x: " + x_type + ") -> (" + x_type + ", " + s_type +
                      ") {\n  %y, %s = fuse.kernel \"parts\" dims [" + number(rows) + ", " + number(channels) + ", " +
                      number(pixels) + "] outer 1 ins(%x : " + x_type + ") at [" + map + "] outs at [" + map + ", " +
                      s_map + R"(] {
  ^bb0(%v: f32):
    %e = math.exp %v : f32
    %p = fuse.reduce sum %e over [2] : f32
    %r = fuse.reduce sum %p over [1] : f32
    %q = arith.divf %e, %r : f32
    %d = arith.mulf %q, %v : f32
    %t = fuse.reduce sum %d over [2] : f32
    fuse.yield %q, %t : f32, f32
  } -> )" + x_type + ", " +
                      s_type + "\n  return %y, %s : " + x_type + ", " + s_type + "\n}");
  auto x = noise(static_cast<size_t>(all));
  auto results = program.run({buffer(x)});
  std::vector<double> y(x.size()), s(static_cast<size_t>(rows * channels));
  const auto row = static_cast<size_t>(channels * pixels), channel = static_cast<size_t>(pixels);
  for (size_t begin = 0; begin < x.size(); begin += row) {
    double sum = 0;
    for (size_t k = begin; k < begin + row; ++k) sum += std::exp(x[k]);
    for (size_t k = begin; k < begin + row; ++k) y[k] = std::exp(x[k]) / sum, s[k / channel] += y[k] * x[k];
  }
  expect_close(values<float>(results[0]), y, 1e-6);
  expect_close(values<float>(results[1]), s, 1e-5);
}

TEST(Rows, SumsOverAPartOfTheRow) {
  for (auto [rows, channels, pixels] : {std::tuple{3, 4, 49}, {5, 3, 784}, {1, 2, 7}, {40, 16, 1}}) {
    check_part_of_row(rows, channels, pixels);
  }
}

TEST(Rows, NothingToReduce) {
  FuseProgram program(R"(
    func.func @program(%x: tensor<3x0xf32>) -> tensor<3xf32> {
      %y = fuse.kernel "empty" dims [3, 0] outer 1 ins(%x : tensor<3x0xf32>)
        at [affine_map<(d0, d1) -> (d1)>] outs at [affine_map<(d0, d1) -> (d0)>] {
      ^bb0(%v: f32):
        %s = fuse.reduce sum %v over [1] : f32
        fuse.yield %s : f32
      } -> tensor<3xf32>
      return %y : tensor<3xf32>
    })");
  EXPECT_EQ(values<float>(program.run({buffer(std::vector<float>{})})[0]), (std::vector<float>{0, 0, 0}));
}

TEST(Rows, IndicesOutsideAreReported) {
  FuseProgram program(R"(
    func.func @program(%t: tensor<5x20xf32>, %i: tensor<3xi64>) -> tensor<3x20xf32> {
      %y = fuse.kernel "gather" dims [3, 20] outer 2 ins(%t, %i : tensor<5x20xf32>, tensor<3xi64>)
        at [affine_map<() -> ()>, affine_map<(d0, d1) -> (d0)>] outs at [affine_map<(d0, d1) -> (d0 * 20 + d1)>] {
      ^bb0(%table: tensor<5x20xf32>, %k: i64):
        %row = arith.index_cast %k : i64 to index
        %column = fuse.index affine_map<(d0, d1) -> (d1)>
        %v = fuse.load_at %table[%row, %column] : tensor<5x20xf32> loc(fused<1 : i64>["somewhere"])
        fuse.yield %v : f32
      } -> tensor<3x20xf32>
      return %y : tensor<3x20xf32>
    })");
  auto table = noise(100);
  auto y = values<float>(program.run({buffer(table), buffer(std::vector<int64_t>{4, 0, 2})})[0]);
  for (size_t j = 0; j < 20; ++j) {
    EXPECT_EQ(y[j], table[80 + j]);
    EXPECT_EQ(y[20 + j], table[j]);
    EXPECT_EQ(y[40 + j], table[40 + j]);
  }
  try {
    Program recorded;
    recorded.instructions.resize(2);
    recorded.instructions[1].op = Op::Gather;
    recorded.instructions[1].at = {"model.cpp", 41};
    recorded.instructions[1].scope = std::make_shared<Scope>(Scope{"embed", {}, nullptr});
    program.run({buffer(table), buffer(std::vector<int64_t>{4, 5, 2})}, recorded);
    FAIL() << "no error";
  } catch (const ValueError& error) {
    EXPECT_EQ(error.text().fault, "gather index 5 is out of range for dim 0 of extent 5");
    EXPECT_EQ(error.text().at.line, 41u);
    EXPECT_EQ(error.text().path, "embed");
  }
}

TEST(Rows, InPlaceResultsKeepTheOtherElements) {
  FuseProgram program(R"(
    func.func @program(%cache: tensor<4x8xf32>, %new: tensor<8xf32>) -> (tensor<4x8xf32> {tsr.donor = 0 : i64}) {
      %y = fuse.kernel "append" dims [8] outer 1 ins(%new : tensor<8xf32>) at [affine_map<(d0) -> (d0)>]
        inits(%cache : tensor<4x8xf32>) of [0] outs at [affine_map<(d0) -> (d0 + 16)>] {
      ^bb0(%v: f32):
        fuse.yield %v : f32
      } -> tensor<4x8xf32>
      return %y : tensor<4x8xf32>
    })");
  auto cache = noise(32), fresh = noise(8, 9);
  for (bool shared : {false, true}) {
    BufferPtr argument = buffer(cache), held = shared ? argument : nullptr;
    const void* address = argument->data();
    std::vector<BufferPtr> arguments;
    arguments.push_back(std::move(argument));
    arguments.push_back(buffer(fresh));
    auto result = program.run(std::move(arguments))[0];
    EXPECT_EQ(result->data() == address, !shared);
    auto y = values<float>(result);
    for (size_t k = 0; k < 32; ++k) EXPECT_EQ(y[k], k >= 16 && k < 24 ? fresh[k - 16] : cache[k]) << k;
    if (held) {
      EXPECT_EQ(values<float>(held), cache);
    }
  }
}

}  // namespace
}  // namespace tessera::codegen::test
