// Storage types: every bit pattern of the narrow floats, both ways, against core/convert.h; integers at their edges.

#include <bit>
#include <cmath>

#include "tests/codegen/fuse_run.h"

#include <tessera/core/convert.h>
#include <tessera/core/random.h>

namespace tessera::codegen::test {
namespace {

std::string convert_text(const std::string& from, const std::string& to, const std::string& op, size_t n) {
  std::string count = std::to_string(n), in = "tensor<" + count + "x" + from + ">",
              out = "tensor<" + count + "x" + to + ">";
  return "func.func @program(%x: " + in + ") -> " + out + " {\n %y = fuse.kernel \"convert\" dims [" + count +
         "] outer 1 ins(%x : " + in +
         ") at [affine_map<(d0) -> (d0)>] outs at [affine_map<(d0) -> (d0)>] {\n ^bb0(%v: " + from +
         "):\n %p = arith." + op + " %v : " + from + " to " + to + "\n fuse.yield %p : " + to + "\n } -> " + out +
         "\n return %y : " + out + "\n}";
}

struct Narrow {
  const char* type;
  DType dtype;
  uint32_t codes;
};
const Narrow narrows[] = {
    {"bf16", bf16, 65536}, {"f16", f16, 65536}, {"f8E4M3FN", f8e4m3, 256}, {"f8E5M2", f8e5m2, 256}};

TEST(DTypes, WidenEveryPattern) {
  for (const Narrow& narrow : narrows) {
    auto codes = std::make_shared<Buffer>(narrow.codes * size_of(narrow.dtype));
    for (uint32_t k = 0; k < narrow.codes; ++k) {
      if (size_of(narrow.dtype) == 1) codes->as<uint8_t>()[k] = static_cast<uint8_t>(k);
      else codes->as<uint16_t>()[k] = static_cast<uint16_t>(k);
    }
    FuseProgram program(convert_text(narrow.type, "f32", "extf", narrow.codes));
    auto wide = values<float>(program.run({codes})[0]);
    for (uint32_t k = 0; k < narrow.codes; ++k) {
      auto want = static_cast<float>(load_double(codes->data(), narrow.dtype, k));
      if (want != want) EXPECT_TRUE(wide[k] != wide[k]) << narrow.type << " " << k;
      else EXPECT_EQ(wide[k], want) << narrow.type << " " << k;
    }
  }
}

TEST(DTypes, NarrowRoundsAsTheHostDoes) {
  std::vector<float> x;
  for (uint32_t bits = 0; bits < 0xffffffff - 65537; bits += 65537) x.push_back(std::bit_cast<float>(bits));
  for (const Narrow& narrow : narrows) {  // ties and their neighbours
    for (uint32_t k = 0; k + 1 < narrow.codes; k += narrow.codes > 256 ? 7 : 1) {
      uint16_t pair[2] = {static_cast<uint16_t>(k), static_cast<uint16_t>(k + 1)};
      uint8_t bytes[2] = {static_cast<uint8_t>(k), static_cast<uint8_t>(k + 1)};
      const void* base = size_of(narrow.dtype) == 1 ? static_cast<const void*>(bytes) : pair;
      double low = load_double(base, narrow.dtype, 0), high = load_double(base, narrow.dtype, 1);
      auto middle = static_cast<float>((low + high) / 2);
      x.insert(x.end(), {middle, std::nextafter(middle, INFINITY), std::nextafter(middle, -INFINITY)});
    }
  }
  std::vector<double> wide(x.begin(), x.end());
  for (size_t k = 0; k + 1 < wide.size(); k += 2) wide[k] = std::nextafter(wide[k], wide[k] + 1);
  for (const Narrow& narrow : narrows) {
    for (bool from_f64 : {false, true}) {
      FuseProgram program(convert_text(from_f64 ? "f64" : "f32", narrow.type, "truncf", x.size()));
      auto codes = program.run({from_f64 ? buffer(wide) : buffer(x)})[0];
      std::vector<uint8_t> want(x.size() * size_of(narrow.dtype));
      for (size_t k = 0; k < x.size(); ++k) {
        double value = from_f64 ? wide[k] : static_cast<double>(x[k]);
        store_double(want.data(), narrow.dtype, static_cast<int64_t>(k), value);
        double got = load_double(codes->data(), narrow.dtype, static_cast<int64_t>(k));
        double expected = load_double(want.data(), narrow.dtype, static_cast<int64_t>(k));
        if (expected != expected) ASSERT_TRUE(got != got) << narrow.type << " of " << value;
        else ASSERT_EQ(got, expected) << narrow.type << " of " << value << (from_f64 ? " f64" : "");
      }
    }
  }
}

TEST(DTypes, FloatToIntegerSaturates) {
  std::vector<float> x{0,      -0.9f, 1.5f,     -1.5f,     300, -300,   1e10f,
                       -1e10f, 1e20f, INFINITY, -INFINITY, NAN, 127.9f, 65536.f};
  for (auto [type, op, dtype] : {std::tuple{"i8", "fptosi", i8},
                                 {"i32", "fptosi", i32},
                                 {"i64", "fptosi", i64},
                                 {"i8", "fptoui", u8},
                                 {"i32", "fptoui", u32}}) {
    FuseProgram program(convert_text("f32", type, op, x.size()));
    auto got = program.run({buffer(x)})[0];
    std::vector<uint8_t> want(x.size() * size_of(dtype));
    convert(x.data(), f32, want.data(), dtype, static_cast<int64_t>(x.size()));
    for (size_t k = 0; k < x.size(); ++k) {
      EXPECT_EQ(load_int(got->data(), dtype, static_cast<int64_t>(k)),
                load_int(want.data(), dtype, static_cast<int64_t>(k)))
          << type << " of " << x[k];
    }
  }
}

TEST(DTypes, DivisionNeverTraps) {
  for (auto [type, op] : {std::pair{"i32", "divsi"}, {"i32", "floordivsi"}, {"i32", "remsi"}}) {
    std::vector<int32_t> x{7, -7, 7, -7, INT32_MIN, 5, 0, INT32_MIN, 1}, y{2, 2, -2, -2, -1, 0, 0, 1, INT32_MIN};
    std::string t = "tensor<9xi32>";
    FuseProgram program("func.func @program(%x: " + t + ", %y: " + t + ") -> " + t +
                        " {\n %z = fuse.kernel \"div\" dims [9] outer 1 ins(%x, %y : " + t + ", " + t + R"()
        at [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] outs at [affine_map<(d0) -> (d0)>] {
      ^bb0(%a: i32, %b: i32):
        %p = arith.)" + std::string(op) +
                        R"( %a, %b : i32
        fuse.yield %p : i32
      } -> )" + t +
                        "\n return %z : " + t + "\n}");
    auto z = values<int32_t>(program.run({buffer(x), buffer(y)})[0]);
    for (size_t k = 0; k < x.size(); ++k) {
      int64_t a = x[k], b = y[k], want = 0;
      if (b != 0) {
        int64_t floor = a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
        want = std::string(op) == "divsi" ? a / b : std::string(op) == "remsi" ? a % b : floor;
      }
      EXPECT_EQ(z[k], static_cast<int32_t>(want)) << op << " " << a << " " << b;
    }
  }
}

TEST(DTypes, RandomBitsAreThoseOfTheHost) {
  FuseProgram program(R"(
    func.func @program(%s: tensor<i64>, %t: tensor<i64>) -> (tensor<3x37xf32>, tensor<3x37xi32>) {
      %r:2 = fuse.kernel "draw" dims [3, 37] outer 2 ins(%s, %t : tensor<i64>, tensor<i64>)
        at [affine_map<(d0, d1) -> (0)>, affine_map<(d0, d1) -> (0)>]
        outs at [affine_map<(d0, d1) -> (d0 * 37 + d1)>, affine_map<(d0, d1) -> (d0 * 37 + d1)>] {
      ^bb0(%seed: i64, %step: i64):
        %e = fuse.index affine_map<(d0, d1) -> (d0 * 37 + d1)>
        %u = fuse.random %seed, %step, %e stream -77 : f32
        %b = fuse.random %seed, %step, %e stream 5 : i32
        fuse.yield %u, %b : f32, i32
      } -> tensor<3x37xf32>, tensor<3x37xi32>
      return %r#0, %r#1 : tensor<3x37xf32>, tensor<3x37xi32>
    })");
  int64_t seed = 0x123456789abcdef, step = 42;
  auto results = program.run({buffer(std::vector<int64_t>{seed}), buffer(std::vector<int64_t>{step})});
  auto uniform = values<float>(results[0]);
  auto bits = values<uint32_t>(results[1]);
  for (size_t e = 0; e < uniform.size(); ++e) {
    EXPECT_EQ(uniform[e], random_uniform(static_cast<uint64_t>(seed), static_cast<uint64_t>(-77), 42, e)) << e;
    EXPECT_EQ(bits[e], random_bits(static_cast<uint64_t>(seed), 5, 42, e)) << e;
  }
}

}  // namespace
}  // namespace tessera::codegen::test
