// All spellings of a normal form are found, what only looks like one is not, and no gradient changes.

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tessera/autograd/gradcheck.h>
#include <tessera/core/compile.h>
#include <tessera/core/program.h>
#include <tessera/core/raise.h>

namespace tessera {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsNan;
using ::testing::NanSensitiveDoubleNear;

using Form = std::function<Tensor(Tensor)>;

struct Spelling {
  const char* name;
  Form form;
};

Tensor sample() {
  std::vector<double> x;
  for (int i = 0; i < 2 * 3 * 5; ++i) x.push_back(0.3 * ((i * 17) % 13 - 6));
  return tensor(x, {2, 3, 5});
}

// The op that a value has once grad() has looked at it: nobody else holds a node inside.
Op op_after_grad(const Form& form, Tensor x) {
  Tensor y = form(x);
  grad(sum(square(y)), x);
  const NodePtr& node = y.node();
  return node->op == Op::Reshape ? node->inputs[0]->op : node->op;
}

void expect_equal(const Tensor& a, const Tensor& b, const char* what) {
  std::vector<double> x = a.to_vector<double>(), y = b.to_vector<double>();
  ASSERT_EQ(a.shape(), b.shape()) << what;
  for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], y[i], 1e-12) << what << " element " << i;
}

void expect_raised(const std::vector<Spelling>& spellings, Op op, const Form& canonical) {
  for (const Spelling& s : spellings) {
    EXPECT_EQ(op_after_grad(s.form, sample()), op) << s.name;
    GradcheckResult result = gradcheck([&](const Tensors& in) { return s.form(in[0]); }, {sample()}, {.order = 2});
    EXPECT_TRUE(result) << s.name << ": " << result.str();
    // Against the same expression that asks for a node inside, and so is differentiated as written.
    Tensor x = sample(), weight = exp(sample());
    Tensor y = s.form(x), z = canonical(x);
    if (y.shape() != z.shape()) z = reshape(z, y.shape());
    Tensor w = y.shape() == weight.shape() ? weight : ones_like(y) * 1.5;
    Tensor raised = grad(sum(y * w), x), direct = grad(sum(z * w), x);
    expect_equal(y, z, s.name);
    expect_equal(raised, direct, s.name);
  }
}

void expect_as_written(const std::vector<Spelling>& spellings) {
  for (const Spelling& s : spellings) {
    Op op = op_after_grad(s.form, sample());
    EXPECT_NE(op, Op::Softmax) << s.name;
    EXPECT_NE(op, Op::LogSumExp) << s.name;
    EXPECT_NE(op, Op::Variance) << s.name;
  }
}

constexpr double log2e = std::numbers::log2e;

TEST(Raise, FindsSoftmax) {
  auto over = [](Tensor e) { return e / sum(e, {-1}, true); };
  expect_raised(
      {
          {"plain", [=](Tensor x) { return over(exp(x)); }},
          {"minus the maximum", [=](Tensor x) { return over(exp(x - max(x, {-1}, true))); }},
          {"minus a stopped maximum", [=](Tensor x) { return over(exp(x - stop_gradient(max(x, {-1}, true)))); }},
          {"minus a number", [=](Tensor x) { return over(exp(x - 3.0)); }},
          {"minus a row value", [=](Tensor x) { return over(exp(x - 0.5 * mean(x, {-1}, true) + 1.0)); }},
          {"minus the global maximum", [=](Tensor x) { return over(exp(x - max(x))); }},
          {"plus a negated maximum", [=](Tensor x) { return over(exp(-max(x, {-1}, true) + x)); }},
          {"two constants", [=](Tensor x) { return over(exp(x - max(x, {-1}, true) - 1.0)); }},
          {"unsqueeze",
           [](Tensor x) {
             Tensor e = exp(x);
             return e / unsqueeze(sum(e, {-1}), -1);
           }},
          {"broadcast by hand",
           [](Tensor x) {
             Tensor e = exp(x);
             return e / broadcast_in_dim(sum(e, {2}), e.shape(), {0, 1});
           }},
          {"times reciprocal",
           [](Tensor x) {
             Tensor e = exp(x);
             return e * reciprocal(sum(e, {-1}, true));
           }},
          {"reciprocal times",
           [](Tensor x) {
             Tensor e = exp(x);
             return reciprocal(sum(e, {-1}, true)) * e;
           }},
          {"one over",
           [](Tensor x) {
             Tensor e = exp(x);
             return e * (1.0 / sum(e, {-1}, true));
           }},
          {"reciprocal after unsqueeze",
           [](Tensor x) {
             Tensor e = exp(x);
             return e * unsqueeze(reciprocal(sum(e, {-1})), -1);
           }},
          {"exp written twice", [](Tensor x) { return exp(x) / sum(exp(x), {-1}, true); }},
          {"all written twice",
           [](Tensor x) { return exp(x - max(x, {-1}, true)) / sum(exp(x - max(x, {-1}, true)), {-1}, true); }},
          {"exp2 with log2e", [=](Tensor x) { return over(exp2(x * log2e)); }},
          {"exp2 with log2e and a maximum", [=](Tensor x) { return over(exp2((x - max(x, {-1}, true)) * log2e)); }},
          {"casts that change nothing",
           [](Tensor x) {
             auto same = [](Tensor y) { return cast(cast(y, f64), f64); };
             Tensor e = same(exp(same(x - max(x, {-1}, true))));
             return e / same(sum(e, {-1}, true));
           }},
          {"exp of log_softmax", [](Tensor x) { return exp(log_softmax(x, -1)); }},
          {"minus a logsumexp", [](Tensor x) { return exp(x - unsqueeze(logsumexp(x, -1), -1)); }},
          {"minus a logsumexp by hand", [](Tensor x) { return exp(x - log(sum(exp(x), {-1}, true))); }},
          {"minus a safe one by hand",
           [](Tensor x) {
             Tensor c = max(x, {-1}, true);
             return exp(x - (c + log(sum(exp(x - c), {-1}, true))));
           }},
          {"exp2 with a scaled maximum", [=](Tensor x) { return over(exp2(log2e * x - log2e * max(x, {-1}, true))); }},
      },
      Op::Softmax, [](Tensor x) { return softmax(x, -1); });
  expect_raised({{"middle dim",
                  [](Tensor x) {
                    Tensor e = exp(x);
                    return e / sum(e, {1}, true);
                  }}},
                Op::Softmax, [](Tensor x) { return softmax(x, 1); });
  expect_raised({{"exp2", [=](Tensor x) { return over(exp2(x)); }}}, Op::Softmax,
                [](Tensor x) { return softmax(x * std::numbers::ln2, -1); });
  expect_raised({{"exp2 of a scaled value", [=](Tensor x) { return over(exp2(x * 0.25)); }}}, Op::Softmax,
                [](Tensor x) { return softmax(x * (0.25 * std::numbers::ln2), -1); });
}

TEST(Raise, LeavesWhatIsNoSoftmax) {
  expect_as_written({
      {"stopped sum",
       [](Tensor x) {
         Tensor e = exp(x);
         return e / stop_gradient(sum(e, {-1}, true));
       }},
      {"another exponential", [](Tensor x) { return exp(x) / sum(exp(x * 2.0), {-1}, true); }},
      {"two dims",
       [](Tensor x) {
         Tensor e = exp(x);
         return e / sum(e, {1, 2}, true);
       }},
      {"along the wrong dim",
       [](Tensor x) {
         Tensor e = exp(slice(x, {Range{}, Range{}, Range{0, 3}}));
         return e / unsqueeze(sum(e, {2}), 1);
       }},
      {"the square of the sum",
       [](Tensor x) {
         Tensor e = exp(x), s = sum(e, {-1}, true);
         return e / (s * s);
       }},
      {"a maximum instead of a sum",
       [](Tensor x) {
         Tensor e = exp(x);
         return e / max(e, {-1}, true);
       }},
      {"the logsumexp of something else", [](Tensor x) { return exp(x - unsqueeze(logsumexp(2.0 * x, -1), -1)); }},
      {"a logsumexp of other rows",
       [](Tensor x) {
         Tensor y = slice(x, 2, {0, 3});
         return exp(y - unsqueeze(logsumexp(y, -1), 1));
       }},
      {"times the sum",
       [](Tensor x) {
         Tensor e = exp(x);
         return e * sum(e, {-1}, true);
       }},
  });
}

TEST(Raise, FindsLogSumExp) {
  expect_raised(
      {
          {"plain", [](Tensor x) { return log(sum(exp(x), {-1})); }},
          {"keeping the dim", [](Tensor x) { return log(sum(exp(x), {-1}, true)); }},
          {"with a maximum",
           [](Tensor x) {
             Tensor c = max(x, {-1}, true);
             return c + log(sum(exp(x - c), {-1}, true));
           }},
          {"commuted",
           [](Tensor x) {
             Tensor c = max(x, {-1}, true);
             return log(sum(exp(x - c), {-1}, true)) + c;
           }},
          {"with a stopped maximum",
           [](Tensor x) {
             Tensor c = stop_gradient(max(x, {-1}, true));
             return c + log(sum(exp(x - c), {-1}, true));
           }},
          {"squeezed",
           [](Tensor x) {
             Tensor c = max(x, {-1});
             return c + log(sum(exp(x - unsqueeze(c, -1)), {-1}));
           }},
          {"squeezed afterwards",
           [](Tensor x) {
             Tensor c = max(x, {-1}, true);
             return squeeze(c, -1) + log(sum(exp(x - c), {-1}));
           }},
          {"a number", [](Tensor x) { return log(sum(exp(x - 2.0), {-1})) + 2.0; }},
          {"maximum written twice",
           [](Tensor x) { return max(x, {-1}, true) + log(sum(exp(x - max(x, {-1}, true)), {-1}, true)); }},
      },
      Op::LogSumExp, [](Tensor x) { return logsumexp(x, -1); });
}

TEST(Raise, LeavesWhatIsNoLogSumExp) {
  expect_as_written({
      {"another constant", [](Tensor x) { return log(sum(exp(x - 2.0), {-1})) + 1.0 + 0.0 * sum(x, {-1}); }},
      {"stopped on one side",
       [](Tensor x) {
         Tensor c = max(x, {-1}, true);
         return c + log(sum(exp(x - stop_gradient(c)), {-1}, true));
       }},
      {"added along another dim",
       [](Tensor x) {
         Tensor y = permute(slice(x, 2, {0, 3}), {1, 2, 0}), c = max(y, {1, 2});
         return reshape(c, {1, 3}) + log(sum(exp(y - reshape(c, {3, 1, 1})), {2}));
       }},
      {"one row's maximum for all",
       [](Tensor x) {
         Tensor y = slice(x, 0, {0, 1});
         Tensor c = max(y, {2});
         return reshape(c, {3, 1}) + log(sum(exp(y - unsqueeze(c, -1)), {2}));
       }},
  });
}

TEST(Raise, OfALogSoftmaxStaysADifference) {
  Tensor x = sample();
  Tensor c = max(x, {-1}, true);
  Tensor y = x - (c + log(sum(exp(x - c), {-1}, true)));
  c = {};
  Tensor g = grad(sum(square(y)), x);
  EXPECT_EQ(y.node()->op, Op::Sub);
  Tensor z = log_softmax(x, -1);
  expect_equal(g, grad(sum(square(z)), x), "log_softmax");
}

TEST(Raise, FindsVariance) {
  expect_raised(
      {
          {"mean of squares", [](Tensor x) { return mean(square(x - mean(x, {-1}, true)), {-1}); }},
          {"keeping the dim", [](Tensor x) { return mean(square(x - mean(x, {-1}, true)), {-1}, true); }},
          {"sum over N", [](Tensor x) { return sum(square(x - sum(x, {-1}, true) / 5.0), {-1}) / 5.0; }},
          {"sum times 1/N", [](Tensor x) { return 0.2 * sum(pow(x - 0.2 * sum(x, {-1}, true), 2.0), {-1}); }},
          {"mean first", [](Tensor x) { return mean(square(mean(x, {-1}, true) - x), {-1}); }},
          {"deviation written twice",
           [](Tensor x) { return mean((x - mean(x, {-1}, true)) * (x - mean(x, {-1}, true)), {-1}); }},
          {"unsqueezed mean",
           [](Tensor x) {
             Tensor d = x - unsqueeze(mean(x, {2}), 2);
             return mean(d * d, {2});
           }},
      },
      Op::Variance, [](Tensor x) { return variance(x, {-1}, false); });
  expect_raised({{"two dims", [](Tensor x) { return mean(square(x - mean(x, {0, 2}, true)), {0, 2}); }}}, Op::Variance,
                [](Tensor x) { return variance(x, {0, 2}, false); });
}

TEST(Raise, LeavesWhatIsNoVariance) {
  expect_as_written({
      {"unbiased", [](Tensor x) { return sum(square(x - mean(x, {-1}, true)), {-1}) / 4.0; }},
      {"another mean", [](Tensor x) { return mean(square(x - mean(x, {1}, true)), {-1}); }},
      {"mean of something else", [](Tensor x) { return mean(square(x - mean(2.0 * x, {-1}, true)), {-1}); }},
      {"no square", [](Tensor x) { return mean((x - mean(x, {-1}, true)) * x, {-1}); }},
  });
}

TEST(Raise, FindsVarianceOfNarrowFloats) {
  auto by_hand = [](Tensor x) { return mean(square(x - mean(x, {-1}, true)), {-1}); };
  Tensor x = cast(sample(), bf16), y = by_hand(x);
  Tensor g = grad(sum(square(y)), x);
  EXPECT_EQ(y.node()->op, Op::Variance);
  expect_equal(g, grad(sum(square(variance(x, {-1}))), x), "bf16");
  // f32 takes no f64 for a narrower one.
  Tensor z = cast(sample(), f32), w = cast(mean(square(cast(z, f64) - mean(cast(z, f64)))), f32);
  grad(w, z);
  EXPECT_EQ(w.node()->op, Op::Cast);
}

// N − 1 is N to six digits, and not to the sixteen of f64.
TEST(Raise, TellsNumbersApartAsFarAsTheDtypeDoes) {
  const int64_t n = 2'000'000;
  auto unbiased = [&](DType dtype) {
    Tensor x = iota({n}, 0, dtype), y = sum(square(x - mean(x))) / static_cast<double>(n - 1);
    grad(y, x);
    return y.node()->op;
  };
  EXPECT_EQ(unbiased(f64), Op::Div);
  Tensor x = sample(), e = exp2(x * (log2e * (1 + 1e-9)));
  Tensor y = e / sum(e, {-1}, true);
  e = {};
  grad(sum(square(y)), x);
  ASSERT_EQ(y.node()->op, Op::Softmax);
  EXPECT_EQ(y.node()->inputs[0]->op, Op::Mul) << "a factor that is not 1";
}

TEST(Raise, LeavesAStrictProgramAsWrittenAlsoBehindGrad) {
  auto soft = [](Tensor x) { return exp(x) / sum(exp(x), {-1}, true); };
  auto step = [&](Tensor x) { return grad(sum(square(soft(x))), x); };
  auto holds = [](const Program& program) {
    return std::ranges::any_of(program.instructions, [](const Instruction& i) { return i.op == Op::Softmax; });
  };
  auto plain = compile(step), strict = compile(step, {.strict = true});
  expect_equal(plain(sample()), strict(sample()), "gradient");
  EXPECT_TRUE(holds(*plain.program()));
  EXPECT_FALSE(holds(*strict.program()));
}

// A dim without elements has no factors that one could compare.
TEST(Raise, LeavesWhatHasNoElements) {
  auto over = [](Tensor x, int dim) {
    Tensor e = exp(x);
    return e / sum(e, {dim}, true);
  };
  for (const Shape& shape : {Shape{0, 4, 5}, Shape{2, 0, 5}, Shape{2, 4, 0}, Shape{0, 1, 1}})
    for (int dim : {0, 1, 2}) {
      auto f = compile([&](Tensor x) { return over(x, dim); });
      EXPECT_EQ(f(zeros(shape, f64)).shape(), shape);
      Tensor x = zeros(shape, f64);
      EXPECT_EQ(grad(sum(over(x, dim)), x).shape(), shape);
    }
  auto attend = compile([](Tensor x, Tensor v) {
    Tensor e = exp(x);
    return matmul(e, v) / sum(e, {1}, true);
  });
  EXPECT_THAT(attend(zeros({2, 0}, f64), zeros({0, 1}, f64)).to_vector<double>(), Each(IsNan()));
  auto lse = compile([](Tensor x) { return log(sum(exp(x), {1})); });
  EXPECT_THAT(lse(zeros({1, 0}, f64)).to_vector<double>(), ElementsAre(-std::numeric_limits<double>::infinity()));
}

TEST(Raise, KeepsWhatAHandleSees) {
  Tensor x = sample(), e = exp(x), p = e / sum(e, {-1}, true);
  Tensor g = grad(sum(square(p)), x);
  EXPECT_EQ(p.node()->op, Op::Div) << "e is held: its gradient may be asked for";
  Tensor through_e = grad(sum(square(p)), e);
  EXPECT_NE(max(abs(through_e)).item<double>(), 0);
  Tensor q = softmax(x, -1);
  expect_equal(g, grad(sum(square(q)), x), "held");
}

TEST(Raise, DoesNotHideANodeThatIsAskedFor) {
  Tensor x = sample(), e = exp(x), p = e / sum(e, {-1}, true);
  EXPECT_FALSE(raise(p.node(), {e.node().get()}).has_value());
  ASSERT_TRUE(raise(p.node(), {x.node().get()}).has_value());
  EXPECT_EQ(raise(p.node(), {x.node().get()})->op, Op::Softmax);
  Tensors both = grad(sum(square(p)), {e, x});
  expect_equal(both[0] * e, both[1], "chain rule through e");
}

// A number that somebody holds may be asked for, also after an earlier grad() has seen the pattern. The same text with
// inputs in place of constants has no pattern.
TEST(Raise, DoesNotHideANumberThatIsAskedFor) {
  struct Case {
    const char* name;
    std::vector<double> numbers;
    std::function<Tensor(Tensor x, const Tensors& c)> form;
  };
  auto centred = [](Tensor x) { return x - mean(x, {-1}, true); };
  auto total = [](Tensor e) { return sum(e, {-1}, true); };
  const std::vector<Case> cases = {
      {"times 1 / N", {0.2}, [=](Tensor x, const Tensors& c) { return sum(square(centred(x)), {-1}) * c[0]; }},
      {"by N", {5}, [=](Tensor x, const Tensors& c) { return sum(square(centred(x)), {-1}) / c[0]; }},
      {"power", {2}, [=](Tensor x, const Tensors& c) { return mean(pow(centred(x), c[0]), {-1}); }},
      {"factor of exp2", {log2e}, [=](Tensor x, const Tensors& c) { return exp2(x * c[0]) / total(exp2(x * c[0])); }},
      {"reciprocal", {1}, [=](Tensor x, const Tensors& c) { return exp(x) * (c[0] / total(exp(x))); }},
      {"mask", {0}, [=](Tensor x, const Tensors& c) { return where(x > 0.5, exp(x), c[0]) / total(exp(x)); }},
      {"two factors", {.7, .7}, [=](Tensor x, const Tensors& c) { return exp(x * c[0]) / total(exp(x * c[1])); }},
      {"two shifts", {.7, .7}, [=](Tensor x, const Tensors& c) { return exp(x - c[0]) / total(exp(x - c[1])); }},
      {"a shift undone", {.7, .7}, [=](Tensor x, const Tensors& c) { return log(total(exp(x - c[0]))) + c[1]; }},
  };
  for (const Case& of : cases) {
    Tensors held, inputs;
    for (double number : of.numbers) {
      held.push_back(scalar(number, f64));
      inputs.push_back(tensor(std::vector<double>{number}, Shape{}));
    }
    Tensor x = sample();
    auto loss = [&](const Tensors& c) {
      Tensor y = of.form(x, c);
      return sum(y * (1.0 + iota(y.shape(), -1, f64)));
    };
    Tensor y = loss(held), seen = loss(held);
    grad(seen, x);
    Tensors want = grad(loss(inputs), inputs), first = grad(y, held), second = grad(seen, held);
    for (size_t i = 0; i < held.size(); ++i) {
      const double right = want[i].item<double>();
      EXPECT_NE(right, 0) << of.name;
      EXPECT_THAT(first[i].item<double>(), NanSensitiveDoubleNear(right, 1e-9)) << of.name << ", number " << i;
      EXPECT_THAT(second[i].item<double>(), NanSensitiveDoubleNear(right, 1e-9)) << of.name << " again, number " << i;
    }
  }
  State p("p", scalar(0.2, f64));
  Tensor x = sample(), y = sum(sum(square(centred(x)), {-1}) * p);
  grad(y, x);
  Tensor of_state = grad(y, p.value()), right = sum(square(centred(x)));
  EXPECT_NEAR(of_state.item<double>(), right.item<double>(), 1e-12);
}

// One expression recorded twice is one value, but each record has a gradient of its own.
TEST(Raise, DoesNotHideATwinThatIsAskedFor) {
  auto total = [](Tensor e) { return sum(e, {-1}, true); };
  const std::vector<std::pair<const char*, std::function<Tensor(Tensor a, Tensor b)>>> forms = {
      {"softmax", [=](Tensor a, Tensor b) { return exp(a) / total(exp(b)); }},
      {"softmax by logsumexp", [=](Tensor a, Tensor b) { return exp(a - unsqueeze(logsumexp(b, -1), -1)); }},
      {"maxima",
       [=](Tensor a, Tensor b) { return log(total(exp(sample() - max(a, {-1}, true)))) + max(b, {-1}, true); }},
      {"variance", [=](Tensor a, Tensor b) { return mean(square(a - mean(b, {-1}, true)), {-1}); }},
      {"square",
       [=](Tensor a, Tensor b) {
         auto centred = [](Tensor x) { return x - mean(x, {-1}, true); };
         return mean(centred(a) * centred(b), {-1});
       }},
  };
  for (const auto& [name, form] : forms) {
    auto loss = [&form = form](Tensor a, Tensor b) {
      Tensor y = form(a, b);
      return sum(y * (1.0 + iota(y.shape(), -1, f64)));
    };
    Tensor c = sample() * 0.5, d = sample() * 0.5;
    c.to_vector<double>(), d.to_vector<double>();  // data, of which nobody knows that they are equal
    Tensor x = sample(), a = x * 0.5, b = x * 0.5;
    Tensor y = loss(a, b), seen = loss(a, b);
    grad(seen, x);
    Tensors want = grad(loss(c, d), {c, d}), first = grad(y, {a, b}), second = grad(seen, {a, b});
    for (size_t i : {0, 1}) {
      expect_equal(first[i], want[i], name);
      expect_equal(second[i], want[i], name);
    }
  }
  // Nor what lies between such a twin and the value that both of them stretch.
  Tensor x = sample();
  for (const Tensor& shift : {scalar(0.5, f64), mean(x)}) {
    Tensor taken = broadcast_to(shift, {2, 3, 1}), added = broadcast_to(shift, {2, 3, 1});
    Tensor of_added = grad(sum(log(total(exp(x - taken))) + added), added);
    expect_equal(of_added, ones_like(added), "added");
  }
}

TEST(Raise, MakesANaiveSoftmaxSafe) {
  Tensor x = tensor(std::vector<float>{1000, 1001, 999}, {1, 3});
  Tensor p = [&] {
    Tensor e = exp(x);
    return e / sum(e, {-1}, true);
  }();
  Tensor g = grad(sum(square(p)), x);
  for (float v : g.to_vector<float>()) EXPECT_TRUE(std::isfinite(v));
}

}  // namespace
}  // namespace tessera
