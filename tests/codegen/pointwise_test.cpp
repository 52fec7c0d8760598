// Pointwise kernels against plain loops.

#include "tests/codegen/fuse_run.h"

namespace tessera::codegen::test {
namespace {

std::vector<float> ramp(size_t n, float step = 0.25f) {
  std::vector<float> x(n);
  for (size_t k = 0; k < n; ++k) x[k] = static_cast<float>(k % 37) * step - 3.f;
  return x;
}

TEST(Pointwise, ScalesEveryLength) {
  for (int n : {1, 3, 15, 16, 17, 64, 1000, 20000}) {
    std::string type = "tensor<" + std::to_string(n) + "xf32>";
    FuseProgram program("func.func @program(%x: " + type + ") -> " + type + R"( {
      %y = fuse.kernel "scale" dims [)" +
                        std::to_string(n) + R"(] outer 1
        ins(%x : )" + type +
                        R"() at [affine_map<(d0) -> (d0)>] outs at [affine_map<(d0) -> (d0)>] {
      ^bb0(%v: f32):
        %c = arith.constant 2.0 : f32
        %p = arith.mulf %v, %c : f32
        fuse.yield %p : f32
      } -> )" + type + R"(
      return %y : )" + type +
                        "\n}");
    auto x = ramp(static_cast<size_t>(n));
    auto y = values<float>(program.run({buffer(x)})[0]);
    for (size_t k = 0; k < x.size(); ++k) ASSERT_EQ(y[k], 2 * x[k]) << n << " " << k;
  }
}

TEST(Pointwise, WalksAnyStrides) {
  // Transposed, broadcast, reversed and sliced operands are maps.
  FuseProgram program(R"(
    func.func @program(%a: tensor<6x40xf32>, %b: tensor<40xf32>, %c: tensor<40x6xf32>, %s: tensor<f32>) -> tensor<6x40xf32> {
      %y = fuse.kernel "mix" dims [6, 40] outer 2
        ins(%a, %b, %c, %s : tensor<6x40xf32>, tensor<40xf32>, tensor<40x6xf32>, tensor<f32>)
        at [affine_map<(d0, d1) -> (d0 * 40 + d1)>, affine_map<(d0, d1) -> (39 - d1)>,
            affine_map<(d0, d1) -> (d1 * 6 + d0)>, affine_map<(d0, d1) -> (0)>]
        outs at [affine_map<(d0, d1) -> (d0 * 40 + d1)>] {
      ^bb0(%p: f32, %q: f32, %r: f32, %t: f32):
        %0 = arith.addf %p, %q : f32
        %1 = arith.mulf %0, %r : f32
        %2 = arith.subf %1, %t : f32
        fuse.yield %2 : f32
      } -> tensor<6x40xf32>
      return %y : tensor<6x40xf32>
    })");
  auto a = ramp(240), b = ramp(40, 0.5f), c = ramp(240, 0.125f), s = ramp(1);
  auto y = values<float>(program.run({buffer(a), buffer(b), buffer(c), buffer(s)})[0]);
  for (size_t i = 0; i < 6; ++i) {
    for (size_t j = 0; j < 40; ++j) {
      ASSERT_EQ(y[i * 40 + j], (a[i * 40 + j] + b[39 - j]) * c[j * 6 + i] - s[0]) << i << " " << j;
    }
  }
}

TEST(Pointwise, NestedPlacesOfReshapes) {
  FuseProgram program(R"(
    func.func @program(%a: tensor<4x6xi32>) -> tensor<24xi64> {
      %y = fuse.kernel "mod" dims [24] outer 1 ins(%a : tensor<4x6xi32>)
        at [affine_map<(d0) -> ((d0 mod 4) * 6 + d0 floordiv 4)>] outs at [affine_map<(d0) -> (d0)>] {
      ^bb0(%p: i32):
        %i = fuse.index affine_map<(d0) -> (d0 * 3 + 1)>
        %0 = arith.index_cast %i : index to i64
        %1 = arith.extsi %p : i32 to i64
        %2 = arith.addi %0, %1 : i64
        fuse.yield %2 : i64
      } -> tensor<24xi64>
      return %y : tensor<24xi64>
    })");
  std::vector<int32_t> a(24);
  for (size_t k = 0; k < 24; ++k) a[k] = static_cast<int32_t>(k * k);
  auto y = values<int64_t>(program.run({buffer(a)})[0]);
  for (size_t k = 0; k < 24; ++k) ASSERT_EQ(y[k], static_cast<int64_t>(k * 3 + 1) + a[k % 4 * 6 + k / 4]) << k;
}

}  // namespace
}  // namespace tessera::codegen::test
