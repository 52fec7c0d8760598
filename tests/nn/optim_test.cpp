#include <cmath>
#include <memory>

#include <gtest/gtest.h>

#include <tessera/core/error.h>
#include <tessera/nn/optim/adam.h>
#include <tessera/nn/optim/clip.h>
#include <tessera/nn/optim/ema.h>
#include <tessera/nn/optim/schedule.h>
#include <tessera/nn/optim/sgd.h>

#include "tests/nn/near.h"

namespace tessera::optim {
namespace {

using tessera::testing::expect_near;

const std::vector<double> start{1, -2, 0.5};
const std::vector<std::vector<double>> gradients{{0.1, -0.2, 3}, {0.3, 0.2, -1}, {-0.5, 0, 2}, {1e-3, 1e-4, -7}};

Tensor floats(const std::vector<double>& values) {
  return tensor(std::vector<float>(values.begin(), values.end()), {static_cast<int64_t>(values.size())});
}

// Takes the four steps with both and compares after each. `formula(t, p, g)` changes p in place.
template <class F> void compare(Optimizer& optimizer, State& parameter, double lr, F formula) {
  std::vector<double> p = start;
  for (size_t t = 0; t < gradients.size(); ++t) {
    optimizer.step({floats(gradients[t])}, lr);
    for (size_t i = 0; i < p.size(); ++i) formula(static_cast<double>(t + 1), i, p[i], gradients[t][i]);
    expect_near(parameter, p, 2e-6);
  }
}

TEST(SGD, MatchesItsFormula) {
  State plain("w", floats(start));
  SGD sgd({&plain});
  compare(sgd, plain, 0.1, [](double, size_t, double& p, double g) { p -= 0.1 * g; });

  for (bool nesterov : {false, true}) {
    State w("w", floats(start));
    SGD optimizer({&w}, {.momentum = 0.9, .weight_decay = 0.01, .nesterov = nesterov});
    std::vector<double> m(3);
    compare(optimizer, w, 0.1, [&](double, size_t i, double& p, double g) {
      g += 0.01 * p;
      m[i] = 0.9 * m[i] + g;
      p -= 0.1 * (nesterov ? g + 0.9 * m[i] : m[i]);
    });
    EXPECT_EQ(optimizer.states().size(), 2u);
    EXPECT_EQ(optimizer.states()[1]->name(), "w.momentum_buffer");
  }
  State damped("w", floats(start));
  SGD optimizer({&damped}, {.momentum = 0.5, .dampening = 0.25});
  std::vector<double> m(3);
  compare(optimizer, damped, 0.1, [&](double t, size_t i, double& p, double g) {
    m[i] = t == 1 ? g : 0.5 * m[i] + 0.75 * g;
    p -= 0.1 * m[i];
  });
  EXPECT_THROW(SGD({&plain}, {.nesterov = true}), ValueError);
}

TEST(Adam, MatchesItsFormula) {
  for (bool decoupled : {false, true}) {
    State w("w", floats(start));
    std::unique_ptr<Optimizer> optimizer;
    if (decoupled) optimizer = std::make_unique<AdamW>(std::vector<State*>{&w}, AdamWOptions{.weight_decay = 0.1});
    else optimizer = std::make_unique<Adam>(std::vector<State*>{&w}, AdamOptions{.weight_decay = 0.1});
    std::vector<double> m(3), v(3);
    compare(*optimizer, w, 1e-2, [&](double t, size_t i, double& p, double g) {
      if (decoupled) p -= 1e-2 * 0.1 * p;
      else g += 0.1 * p;
      m[i] = 0.9 * m[i] + 0.1 * g;
      v[i] = 0.999 * v[i] + 0.001 * g * g;
      p -= 1e-2 * (m[i] / (1 - std::pow(0.9, t))) / (std::sqrt(v[i] / (1 - std::pow(0.999, t))) + 1e-8);
    });
    std::vector<State*> states = optimizer->states();
    ASSERT_EQ(states.size(), 3u);
    EXPECT_EQ(states[0]->value().item<int64_t>(), 4);
    EXPECT_EQ(states[1]->name(), "w.exp_avg");
    EXPECT_EQ(states[2]->name(), "w.exp_avg_sq");
  }
}

TEST(Optimizer, GroupsFollowTheirOwnOptions) {
  State weight("fc.weight", floats({1})), bias("fc.bias", floats({1}));
  SGD optimizer({&weight, &bias}, {.weight_decay = 0.5});
  optimizer.group("*.bias", {.weight_decay = 0, .lr_scale = 2});
  optimizer.step({floats({1}), floats({1})}, 0.1);
  expect_near(weight, {1 - 0.1 * 1.5});
  expect_near(bias, {1 - 0.2});
  EXPECT_THROW(optimizer.group("*.gamma", {}), ValueError);
}

TEST(Optimizer, AGroupLeavesTheOptionsThatItDoesNotSet) {
  for (bool decay_first : {false, true}) {
    State bias("head.bias", floats({1}));
    SGD optimizer({&bias}, {.weight_decay = 0.5});
    if (decay_first) optimizer.group("*.bias", {.weight_decay = 0});
    optimizer.group("head.*", {.lr_scale = 2});
    if (!decay_first) optimizer.group("*.bias", {.weight_decay = 0});
    optimizer.step({floats({1})}, 0.1);
    expect_near(bias, {1 - 0.2});
  }
}

TEST(Optimizer, ChecksItsArguments) {
  State w("w", floats(start));
  SGD optimizer({&w});
  EXPECT_THROW(optimizer.step({}, 0.1), ValueError);
  EXPECT_THROW(optimizer.step({floats({1})}, 0.1), ShapeError);
  EXPECT_THROW(SGD({}), ValueError);
}

TEST(Clip, ScalesAllGradientsByTheirCommonNorm) {
  Clipped clipped = clip_grad_norm({floats({3}), floats({0, 4})}, 1);
  expect_near(clipped.norm, {5});
  expect_near(clipped.grads[0], {0.6});
  expect_near(clipped.grads[1], {0, 0.8});
  expect_near(clip_grad_norm({floats({3}), floats({0, 4})}, 10).grads[1], {0, 4});
  expect_near(clip_grad_norm({floats({0})}, 1).grads[0], {0});
}

TEST(Clip, KeepsTheDtypeOfEach) {
  Clipped clipped = clip_grad_norm({cast(floats({3}), bf16), cast(floats({4}), f64)}, 1);
  EXPECT_EQ(clipped.grads[0].dtype(), bf16);
  EXPECT_EQ(clipped.grads[1].dtype(), f64);
  expect_near(clipped.grads[0], {0.6}, 4e-3);
  expect_near(clipped.grads[1], {0.8});
}

TEST(Schedule, IsTheSameOnTheHostAndInTheGraph) {
  for (const Schedule& schedule :
       {constant(0.5), constant(0.5, 4), cosine({.peak = 1, .warmup = 5, .total = 20, .floor = 0.1}),
        linear({.peak = 1, .total = 10, .floor = 0.2})})
    for (int64_t t : {0, 1, 3, 4, 5, 9, 12, 20, 50})
      EXPECT_NEAR(schedule(scalar(t, i64)).item<float>(), schedule(t), 1e-6) << t;

  Schedule schedule = cosine({.peak = 2, .warmup = 4, .total = 12, .floor = 1});
  EXPECT_FLOAT_EQ(schedule(0), 0.5f);
  EXPECT_FLOAT_EQ(schedule(3), 2);
  EXPECT_FLOAT_EQ(schedule(8), 1.5f);
  EXPECT_FLOAT_EQ(schedule(100), 1);
  EXPECT_THROW(cosine({.peak = 1, .warmup = 5, .total = 5}), ValueError);
}

TEST(Ema, FollowsSlowlyAndStandsIn) {
  State w("w", floats({1}));
  Ema ema({&w}, 0.9);
  w.assign(floats({2}));
  ema.update();
  expect_near(*ema.states()[0], {1.1});
  EXPECT_EQ(ema.states()[0]->name(), "w.ema");
  {
    auto averaged = ema.use();
    expect_near(w, {1.1});
  }
  expect_near(w, {2});
}

}  // namespace
}  // namespace tessera::optim
