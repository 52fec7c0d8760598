// recompute(fn) gives what fn gives, bit for bit, and keeps nothing of it for the backward.

#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tessera/autograd/gradcheck.h>
#include <tessera/core/compile.h>
#include <tessera/core/error.h>
#include <tessera/core/random.h>

namespace tessera {
namespace {

using Fn = std::function<Tensors(const Tensors&)>;

Tensor data(Shape shape, float scale) {
  std::vector<float> out;
  for (int64_t i = 0; i < shape.numel(); ++i) out.push_back(scale * static_cast<float>((i * 37) % 23 - 11));
  return tensor(out, shape);
}

// Loss and gradients of a chain of blocks, plain or recomputed.
Tensors run(const std::vector<Fn>& blocks, Tensor x, const Tensors& wrt, bool again) {
  seed(7);
  RandomPoint start = RandomPoint::capture();
  RandomReplay draws(start);
  Tensor h = x;
  for (const Fn& f : blocks) h = again ? recompute(f, {h})[0] : f({h})[0];
  Tensor loss = sum(square(h));
  Tensors out = grad(loss, wrt);
  out.push_back(loss);
  return out;
}

void expect_same_bits(const std::vector<Fn>& blocks, Tensor x, const Tensors& wrt) {
  Tensors plain = run(blocks, x, wrt, false), again = run(blocks, x, wrt, true);
  for (size_t i = 0; i < plain.size(); ++i)
    EXPECT_EQ(plain[i].to_vector<float>(), again[i].to_vector<float>()) << "result " << i;
}

Fn residual_block(Tensor w, Tensor scale) {
  return [=](const Tensors& in) {
    Tensor x = in[0], centred = x - mean(x, {-1}, true);
    Tensor h = centred * rsqrt(variance(x, {-1}, true) + 1e-5) * scale;
    Tensor scores = softmax(matmul(h, transpose(h)), -1);
    return Tensors{x + matmul(tanh(matmul(scores, h)), w)};
  };
}

TEST(Recompute, GivesTheSameBitsAlsoToCapturedParameters) {
  Tensor x = data({4, 6}, 0.1f), w1 = data({6, 6}, 0.05f), w2 = data({6, 6}, 0.03f), scale = data({6}, 0.2f);
  expect_same_bits({residual_block(w1, scale), residual_block(w2, scale)}, x, {x, w1, w2, scale});
}

TEST(Recompute, OfManyBlocks) {
  Tensor x = data({2, 6}, 0.1f), scale = data({6}, 0.2f);
  Tensors wrt{x, scale};
  std::vector<Fn> blocks;
  for (int i = 0; i < 40; ++i) {
    wrt.push_back(data({6, 6}, 0.001f * static_cast<float>(i + 1)));
    blocks.push_back(residual_block(wrt.back(), scale));
  }
  expect_same_bits(blocks, x, wrt);
}

TEST(Recompute, RepeatsRandomDraws) {
  Tensor x = data({4, 6}, 0.1f), w = data({6, 6}, 0.05f);
  Fn dropout = [w](const Tensors& in) {
    ScopeGuard module("dropout", Loc::here());
    Tensor keep = bernoulli(in[0].shape(), 0.5);
    return Tensors{where(keep, matmul(in[0], w), 0) * uniform(in[0].shape())};
  };
  expect_same_bits({dropout, dropout}, x, {x, w});
}

TEST(Recompute, LeavesLaterDrawsAlone) {
  seed(3);
  Tensor x = data({4}, 0.5f);
  Tensor y = recompute([](const Tensors& in) { return Tensors{in[0] * uniform(in[0].shape())}; }, {x})[0];
  Tensor g = grad(sum(y), x), after = uniform({4});
  seed(3);
  Tensor first = uniform({4}), second = uniform({4});
  EXPECT_EQ(g.to_vector<float>(), first.to_vector<float>());
  EXPECT_EQ(after.to_vector<float>(), second.to_vector<float>());
}

TEST(Recompute, CapturesStates) {
  State w("w", data({6, 6}, 0.05f));
  Tensor x = data({4, 6}, 0.1f);
  auto loss = [&](bool again) {
    Fn f = [&](const Tensors& in) { return Tensors{tanh(matmul(in[0], w.value()))}; };
    return sum(square(again ? recompute(f, {x})[0] : f({x})[0]));
  };
  EXPECT_EQ(grad(loss(true), {&w})[0].to_vector<float>(), grad(loss(false), {&w})[0].to_vector<float>());
  auto step = [&](bool again) {
    auto compiled = compile([&, again] {
      Fn f = [&](const Tensors& in) { return Tensors{tanh(matmul(in[0], w.value()))}; };
      Tensor l = sum(square(again ? recompute(f, {x})[0] : f({x})[0]));
      return grad(l, {&w})[0];
    });
    return compiled().to_vector<float>();
  };
  EXPECT_EQ(step(true), step(false));
}

TEST(Recompute, Nests) {
  Tensor x = data({4, 6}, 0.1f), w = data({6, 6}, 0.05f), v = data({6, 6}, 0.04f);
  Fn inner = [v](const Tensors& in) { return Tensors{tanh(matmul(in[0], v)), sigmoid(in[0])}; };
  Fn outer = [=](const Tensors& in) {
    Tensors h = recompute(inner, {matmul(in[0], w)});
    return Tensors{h[0] * h[1]};
  };
  Fn plain = [=](const Tensors& in) {
    Tensors h = inner({matmul(in[0], w)});
    return Tensors{h[0] * h[1]};
  };
  Tensors a = run({outer}, x, {x, w, v}, true), b = run({plain}, x, {x, w, v}, false);
  for (size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i].to_vector<float>(), b[i].to_vector<float>()) << i;
}

TEST(Recompute, DifferentiatesTwice) {
  Tensor w = tensor<double>({0.3, -0.2});
  auto f = [](const Tensors& in) {
    Tensor captured = in[1];
    return recompute([captured](const Tensors& x) { return Tensors{tanh(x[0] * captured) * captured}; }, {in[0]})[0];
  };
  GradcheckResult result = gradcheck(f, {tensor<double>({0.5, 0.7}), w}, {.order = 3});
  EXPECT_TRUE(result) << result.str();
}

TEST(Recompute, UsesOnlyInputsForTheBackward) {
  Tensor x = data({4}, 0.1f);
  Tensor y = recompute([](const Tensors& in) { return Tensors{sin(exp(in[0]))}; }, {x})[0];
  Tensor g = grad(sum(y), x);
  // The forward's exp and the backward's are two nodes, and a barrier stands before the second.
  std::multiset<Op> ops;
  std::set<const Node*> seen;
  std::vector<NodePtr> todo{g.node()};
  while (!todo.empty()) {
    NodePtr node = todo.back();
    todo.pop_back();
    if (!seen.insert(node.get()).second) continue;
    ops.insert(node->op);
    todo.insert(todo.end(), node->inputs.begin(), node->inputs.end());
  }
  EXPECT_EQ(ops.count(Op::Barrier), 1u);
  EXPECT_EQ(ops.count(Op::Exp), 1u);
  EXPECT_FALSE(seen.contains(y.node()->inputs[0]->inputs[0].get())) << "the forward's own exp";
}

TEST(Recompute, NoticesAFunctionThatChanges) {
  Tensor x = data({4}, 0.1f);
  int calls = 0;
  Tensor y = recompute([&](const Tensors& in) { return ++calls == 1 ? Tensors{in[0]} : Tensors{}; }, {x})[0];
  try {
    grad(sum(y), x);
    FAIL();
  } catch (const GradError& e) {
    EXPECT_EQ(e.code(), "T-G005");
  }
}

}  // namespace
}  // namespace tessera
