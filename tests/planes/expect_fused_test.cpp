// expect_fused(): what it lets pass, what it refuses, and how it says so.

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tessera/autograd/grad.h>
#include <tessera/core/compile.h>
#include <tessera/core/error.h>
#include <tessera/core/executor.h>
#include <tessera/core/state.h>

#include "tests/support/mistakes.h"

namespace tessera::testing {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

Tensor data(Shape shape) { return sin(cast(reshape(arange(shape.numel()), shape), f32)); }
Tensor rows(int64_t n, int64_t width = 16) { return data({2, n, width}); }

Tensor scores(const Tensor& q, const Tensor& k) {
  Tensor s = einsum("bmd,bnd->bmn", q, k) * 0.25;
  return where(iota({q.size(1), k.size(1)}, 0) >= iota({q.size(1), k.size(1)}, 1), s, -infinity);
}
Tensor mix(const Tensor& p, const Tensor& v) { return einsum("bmn,bne->bme", p, v); }

// Runs `f` as a compiled function of q, k and v.
template <class F> auto run(F f, int64_t n = 64, int64_t width = 16, CompileOptions options = {}) {
  return compile(f, options)(rows(n, width), rows(n, width), rows(n, width));
}

TEST(ExpectFused, GivesItsOperandBack) {
  const Tensor x = data({4});
  EXPECT_EQ(expect_fused(x).node(), x.node());  // outside of compile() it asks for nothing
  EXPECT_EQ(expect_fused(x + 1.0).to_vector<float>(), (x + 1.0).to_vector<float>());
}

TEST(ExpectFused, LetsPassWhatStaysInAKernel) {
  auto attention = [](Tensor q, Tensor k, Tensor v) {
    Tensor s = expect_fused(scores(q, k)), p = expect_fused(softmax(s, -1)), o = mix(p, v);
    std::vector<Tensor> g = grad(sum(o * o), {q, k, v});
    return o + g[0] + g[1] + g[2];
  };
  auto by_hand = [](Tensor q, Tensor k, Tensor v) {
    Tensor s = scores(q, k), e = expect_fused(exp(s - max(s, {-1}, true)));
    return mix(expect_fused(e / expect_fused(sum(e, {-1}, true))), v);
  };
  // Rotated where the kernel reads them, and what rotates back.
  auto turned = [](const Tensor& x) {
    Tensor angle = cast(iota({x.size(1), 8}, 0), f32), a = slice(x, 2, {0, 8}), b = slice(x, 2, {8, 16});
    return concat({a * cos(angle) - b * sin(angle), a * sin(angle) + b * cos(angle)}, 2);
  };
  auto rotated = [&](Tensor q, Tensor k, Tensor v) {
    Tensor o = mix(softmax(scores(expect_fused(turned(q)), expect_fused(turned(k))), -1), v);
    std::vector<Tensor> g = grad(sum(o * o), {q, k, v});
    return o + g[0] + g[1] + g[2];
  };
  EXPECT_NO_THROW(run(attention));
  EXPECT_NO_THROW(run(by_hand));
  EXPECT_NO_THROW(run(rotated));
  // Kernels that are no cascades: an epilogue, a row kernel, and what a view looks at.
  EXPECT_NO_THROW(
      run([](Tensor q, Tensor k, Tensor) { return tanh(expect_fused(einsum("bmd,bnd->bmn", q, k)) + 1.0); }));
  EXPECT_NO_THROW(run([](Tensor q, Tensor, Tensor) { return sum(expect_fused(transpose(exp(q))), {1, 2}); }));
  EXPECT_NO_THROW(
      run([](Tensor q, Tensor k, Tensor) { return q + expect_fused(broadcast_to(slice(k, 1, {0, 1}), {2, 64, 16})); }));
}

TEST(ExpectFused, IsNotAskedOfTheReference) {
  UseExecutor plain(reference_executor());
  EXPECT_NO_THROW(run([](Tensor q, Tensor, Tensor) { return expect_fused(exp(q)); }));
}

TEST(ExpectFused, FollowsAnEqualValue) {
  // The second softmax is the first one, and that is returned.
  auto twice = [](Tensor q, Tensor k, Tensor v) {
    Tensor s = scores(q, k), p = softmax(s, -1);
    return std::vector<Tensor>{p, mix(expect_fused(softmax(s, -1)), v)};
  };
  EXPECT_THROW(run(twice), CompileError);
}

TEST(ExpectFused, KeepsWorkingAfterARefusal) {
  State step("step", zeros({}));
  bool strict_reader = true;
  auto f = compile([&](Tensor q, Tensor k, Tensor v) {
    step.assign(step.value() + 1.0);
    Tensor p = expect_fused(softmax(scores(q, k), -1));
    return strict_reader ? p : mix(p, v);
  });
  EXPECT_THROW(f(rows(64), rows(64), rows(64)), CompileError);
  EXPECT_EQ(f.programs(), 0);
  EXPECT_EQ(step.value().item<float>(), 0);
  strict_reader = false;
  EXPECT_NO_THROW(f(rows(64), rows(64), rows(64)));
  EXPECT_EQ(step.value().item<float>(), 1);
}

// A warm start knows the reasons too: they are part of the plan.
TEST(ExpectFused, SaysTheSameFromTheCache) {
  auto returned = [](Tensor q, Tensor k, Tensor v) {
    Tensor p = softmax(scores(q, k), -1);
    return std::vector<Tensor>{cumsum(expect_fused(p), -1), mix(p, v)};
  };
  std::string first, second;
  for (std::string* what : {&first, &second}) {
    try {
      run(returned);
    } catch (const CompileError& error) {
      *what = error.what();
    }
  }
  EXPECT_NE(first, "");
  EXPECT_EQ(first, second);
}

// clang-format off
const Mistake mistakes[] = {
  {"Returned",   __LINE__, "CompileError", "T-C001", {"f32[2, 64, 64] result of softmax", "it is a result of the program"}, [] { run([](Tensor q, Tensor k, Tensor) { return expect_fused(softmax(scores(q, k), -1)); }); }},
  {"Transposed", __LINE__, "CompileError", "T-C001", {"result of softmax", "it is a result of the program"}, [] { run([](Tensor q, Tensor k, Tensor) { return transpose(expect_fused(softmax(scores(q, k), -1))); }); }},
  {"Argument",   __LINE__, "CompileError", "T-C001", {"f32[2, 64, 16]", "data that the program gets"}, [] { run([](Tensor q, Tensor, Tensor) { return exp(expect_fused(q)); }); }},
  {"Captured",   __LINE__, "CompileError", "T-C001", {"f32[4]", "data that the program gets"}, [] { Tensor c = data({4}); compile([&](Tensor x) { return x + expect_fused(c); })(data({4})); }},
  {"Tap",        __LINE__, "CompileError", "T-C001", {"result of softmax", "reader", "result of scan", "outside of its plane"}, [] { run([](Tensor q, Tensor k, Tensor v) { Tensor p = expect_fused(softmax(scores(q, k), -1)); return std::vector<Tensor>{cumsum(p, -1), mix(p, v)}; }); }},
  {"FewRows",    __LINE__, "CompileError", "T-C001", {"only a few rows"}, [] { run([](Tensor q, Tensor k, Tensor v) { return mix(expect_fused(softmax(scores(q, k), -1)), v); }, 4); }},
  {"WideRows",   __LINE__, "CompileError", "T-C001", {"rows of 300 elements are too wide", "at most 256"}, [] { run([](Tensor q, Tensor k, Tensor v) { return mix(expect_fused(softmax(scores(q, k), -1)), v); }, 64, 300); }},
  {"Strict",     __LINE__, "CompileError", "T-C001", {"strict"}, [] { run([](Tensor q, Tensor k, Tensor v) { return mix(expect_fused(softmax(scores(q, k), -1)), v); }, 64, 16, {.strict = true}); }},
  {"NoReduction", __LINE__, "CompileError", "T-C001", {"result of scan", "is a routine of its own"}, [] { run([](Tensor q, Tensor, Tensor) { return sum(expect_fused(cumsum(exp(q), 1))); }); }},
  {"Barrier",    __LINE__, "CompileError", "T-C001", {"result of exp", "barrier"}, [] { run([](Tensor q, Tensor, Tensor) { return barrier(expect_fused(exp(q))) + 1.0; }); }},
  {"Replaced",   __LINE__, "CompileError", "T-C001", {"result of mul", "equal value"}, [] { run([](Tensor q, Tensor, Tensor) { return exp(expect_fused(q * 1.0)); }); }},
};
// clang-format on

INSTANTIATE_TEST_SUITE_P(ExpectFused, Mistakes, ::testing::ValuesIn(mistakes), name_of);

}  // namespace
}  // namespace tessera::testing
