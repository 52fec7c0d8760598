// The polynomials of vector_math.cpp against f64, over dense samples of their domains; the bounds stand in the file.

#include <bit>
#include <cmath>
#include <functional>

#include "tests/codegen/fuse_run.h"

namespace tessera::codegen::test {
namespace {

// Distance in units of the last place of the correctly rounded result.
double ulps(float got, double want) {
  float rounded = static_cast<float>(want);
  if (got == rounded || (got != got && rounded != rounded)) return 0;
  if (std::isinf(rounded) || std::isinf(got) || got != got) return 1e9;
  int exponent;
  std::frexp(want, &exponent);
  double unit = std::ldexp(1.0, std::max(exponent - 24, -149));
  return std::fabs(got - want) / unit;
}

std::vector<float> samples(double low, double high) {
  std::vector<float> x;
  for (int k = 0; k <= 200000; ++k) x.push_back(static_cast<float>(low + (high - low) * k / 200000));
  for (int e = -140; e <= 126; e += 3) {  // small ones of both signs
    for (float sign : {-1.f, 1.f}) {
      float v = sign * std::ldexp(1.37f, e);
      if (v >= low && v <= high) x.push_back(v);
    }
  }
  return x;
}

struct Function {
  const char* op;
  std::function<double(double)> exact;
  double low, high, bound;
};

std::vector<float> run_op(const std::string& op, const std::vector<float>& x) {
  std::string type = "tensor<" + std::to_string(x.size()) + "xf32>";
  FuseProgram program("func.func @program(%x: " + type + ") -> " + type + " {\n %y = fuse.kernel \"" + op +
                      "\" dims [" + std::to_string(x.size()) + "] outer 1 ins(%x : " + type +
                      R"() at [affine_map<(d0) -> (d0)>] outs at [affine_map<(d0) -> (d0)>] {
    ^bb0(%v: f32):
      %p = math.)" + op +
                      R"( %v : f32
      fuse.yield %p : f32
    } -> )" + type +
                      "\n return %y : " + type + "\n}");
  return values<float>(program.run({buffer(x)})[0]);
}

TEST(VectorMath, StaysWithinItsBounds) {
  const Function functions[] = {
      {"exp", [](double x) { return std::exp(x); }, -110, 88.7, 1.5},
      {"exp2", [](double x) { return std::exp2(x); }, -156, 127.9, 2},
      {"expm1", [](double x) { return std::expm1(x); }, -30, 88.7, 2.5},
      {"log", [](double x) { return std::log(x); }, 1e-38, 1e4, 1.5},
      {"log1p", [](double x) { return std::log1p(x); }, -0.999, 1e4, 3},
      {"tanh", [](double x) { return std::tanh(x); }, -12, 12, 2.5},
      {"erf", [](double x) { return std::erf(x); }, -5, 5, 2},
      {"sin", [](double x) { return std::sin(x); }, -1e5, 1e5, 2},
      {"cos", [](double x) { return std::cos(x); }, -1e5, 1e5, 2},
      {"rsqrt", [](double x) { return 1 / std::sqrt(x); }, 1e-38, 1e4, 1.5},
  };
  for (const Function& f : functions) {
    auto x = samples(f.low, f.high);
    auto y = run_op(f.op, x);
    double worst = 0;
    float where = 0;
    for (size_t k = 0; k < x.size(); ++k) {
      double off = ulps(y[k], f.exact(x[k]));
      if (off > worst) worst = off, where = x[k];
    }
    EXPECT_LE(worst, f.bound) << f.op << " at " << where;
    RecordProperty(f.op, std::to_string(worst));
    std::printf("%-6s %.3f ulp at %g\n", f.op, worst, where);
  }
}

TEST(VectorMath, SpecialValues) {
  float inf = INFINITY, nan = NAN;
  auto expect = [&](const char* op, std::vector<float> x, std::vector<float> want) {
    auto y = run_op(op, x);
    for (size_t k = 0; k < x.size(); ++k) {
      if (want[k] != want[k]) EXPECT_TRUE(y[k] != y[k]) << op << " of " << x[k] << " gave " << y[k];
      else EXPECT_EQ(y[k], want[k]) << op << " of " << x[k];
    }
  };
  expect("exp", {inf, -inf, nan, 0, 1000, -1000}, {inf, 0, nan, 1, inf, 0});
  expect("exp2", {inf, -inf, nan, 0, 1000, -1000, 3}, {inf, 0, nan, 1, inf, 0, 8});
  expect("expm1", {inf, -inf, nan, 0}, {inf, -1, nan, 0});
  expect("log", {inf, 0, -1, nan, 1, -0.f}, {inf, -inf, nan, nan, 0, -inf});
  expect("log1p", {inf, -1, -2, nan, 0}, {inf, -inf, nan, nan, 0});
  expect("tanh", {inf, -inf, nan, 0}, {1, -1, nan, 0});
  expect("erf", {inf, -inf, nan, 0}, {1, -1, nan, 0});
  expect("sin", {inf, nan, 0}, {nan, nan, 0});
  expect("cos", {inf, nan, 0}, {nan, nan, 1});
  expect("rsqrt", {0, inf, 4}, {inf, 0, 0.5f});
}

TEST(VectorMath, PowerFollowsC) {
  std::vector<float> x, y;
  const float special[] = {0.f,  -0.f,  1.f,      -1.f,      2.f, -2.f,   0.5f,  -0.5f, 3.f,   -3.f,
                           2.5f, -2.5f, INFINITY, -INFINITY, NAN, 1e-30f, 1e30f, 100.f, 101.f, -7.f};
  for (float a : special) {
    for (float b : special) x.push_back(a), y.push_back(b);
  }
  for (int k = 0; k < 20000; ++k)
    x.push_back(0.001f * static_cast<float>(k)), y.push_back(0.01f * static_cast<float>(k % 777) - 4);
  std::string type = "tensor<" + std::to_string(x.size()) + "xf32>";
  FuseProgram program("func.func @program(%x: " + type + ", %y: " + type + ") -> " + type +
                      " {\n %z = fuse.kernel \"pow\" dims [" + std::to_string(x.size()) +
                      "] outer 1 ins(%x, %y : " + type + ", " + type +
                      R"() at [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] outs at [affine_map<(d0) -> (d0)>] {
    ^bb0(%v: f32, %w: f32):
      %p = math.powf %v, %w : f32
      fuse.yield %p : f32
    } -> )" + type +
                      "\n return %z : " + type + "\n}");
  auto z = values<float>(program.run({buffer(x), buffer(y)})[0]);
  for (size_t k = 0; k < x.size(); ++k) {
    double want = std::pow(static_cast<double>(x[k]), static_cast<double>(y[k]));
    EXPECT_LE(ulps(z[k], want), 1) << x[k] << " ^ " << y[k] << " gave " << z[k] << " not " << want;
  }
}

}  // namespace
}  // namespace tessera::codegen::test
