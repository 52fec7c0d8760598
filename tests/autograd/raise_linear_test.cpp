// What is linear in exp(x) and divided by its sum is found to be the same of a softmax; and what is found when a program
// is compiled.

#include <algorithm>
#include <cmath>
#include <functional>

#include <gtest/gtest.h>
#include <tessera/autograd/gradcheck.h>
#include <tessera/core/compile.h>
#include <tessera/core/program.h>
#include <tessera/core/raise.h>

namespace tessera {
namespace {

Tensor sample(const Shape& shape, int step) {
  std::vector<double> x(static_cast<size_t>(shape.numel()));
  for (int i = 0; double& value : x) value = 0.3 * ((i++ * step) % 13 - 6);
  return tensor(x, shape);
}
Tensor weights() { return sample({2, 4, 5}, 7); }  // [b, m, n]
Tensor values() { return sample({2, 5, 3}, 11); }  // [b, n, e]

struct Spelling {
  const char* name;
  std::function<Tensor(Tensor x, Tensor v)> by_hand, of_softmax;  // the second is empty where nothing is found
};

bool holds(const NodePtr& node, Op op) {
  return node->op == op ||
         std::any_of(node->inputs.begin(), node->inputs.end(), [&](const NodePtr& input) { return holds(input, op); });
}

const std::vector<Spelling>& spellings() {
  static const std::vector<Spelling> all = {
      {"dropped before the division",
       [](Tensor x, Tensor) {
         Tensor e = exp(x);
         return where(x > 0.5, 2.0 * e, 0) / sum(e, {-1}, true);
       },
       [](Tensor x, Tensor) { return where(x > 0.5, 2.0 * softmax(x, -1), 0); }},
      {"zero where the coin falls",
       [](Tensor x, Tensor) {
         Tensor e = exp(x - max(x, {-1}, true));
         return where(x > 0.5, 0, e) * reciprocal(sum(e, {-1}, true));
       },
       [](Tensor x, Tensor) { return where(x > 0.5, 0, softmax(x, -1)); }},
      {"divided after the values",
       [](Tensor x, Tensor v) {
         Tensor e = exp(x - max(x, {-1}, true));
         return matmul(e, v) / sum(e, {-1}, true);
       },
       [](Tensor x, Tensor v) { return matmul(softmax(x, -1), v); }},
      {"divided after values of other order",
       [](Tensor x, Tensor v) {
         Tensor e = exp(x);
         return permute(einsum("bne,bmn->ebm", v, e), {1, 2, 0}) / unsqueeze(sum(e, {2}), 2);
       },
       [](Tensor x, Tensor v) { return permute(einsum("bne,bmn->ebm", v, softmax(x, -1)), {1, 2, 0}); }},
      {"a transposed divisor",
       [](Tensor x, Tensor v) {
         Tensor e = exp(x);
         return einsum("bmn,bne->mbe", e, v) / permute(sum(e, {-1}, true), {1, 0, 2});
       },
       [](Tensor x, Tensor v) { return einsum("bmn,bne->mbe", softmax(x, -1), v); }},
      {"merged dims between",
       [](Tensor x, Tensor v) {
         Tensor e = exp(x);
         return reshape(matmul(e, v), {8, 3}) / reshape(sum(e, {-1}), {8, 1});
       },
       [](Tensor x, Tensor v) { return reshape(matmul(softmax(x, -1), v), {8, 3}); }},
      {"split dims below",
       [](Tensor x, Tensor v) {
         Tensor e = exp(x);
         Tensor grouped = reshape(e, {2, 2, 2, 5});
         return einsum("bghn,bne->bghe", grouped, v) / reshape(sum(e, {-1}), {2, 2, 2, 1});
       },
       [](Tensor x, Tensor v) { return einsum("bghn,bne->bghe", reshape(softmax(x, -1), {2, 2, 2, 5}), v); }},
      {"along columns",
       [](Tensor x, Tensor v) {
         Tensor e = exp(permute(x, {0, 2, 1}));
         return -einsum("bnm,bne->bme", e, v) / permute(sum(e, {1}, true), {0, 2, 1});
       },
       [](Tensor x, Tensor v) { return -einsum("bnm,bne->bme", softmax(permute(x, {0, 2, 1}), 1), v); }},
  };
  return all;
}

// What looks alike and is something else.
const std::vector<Spelling>& others() {
  static const std::vector<Spelling> all = {
      {"summed over rows too",
       [](Tensor x, Tensor v) {
         Tensor e = exp(x);
         return einsum("bmn,bne->be", e, v) / reshape(sum(slice(e, 1, {0, 1}), {-1}), {2, 1});
       },
       {}},
      {"the sum of another row",
       [](Tensor x, Tensor v) {
         Tensor y = slice(x, 1, {0, 2});
         Tensor e = exp(y);
         return einsum("bmn,bne->bme", e, v) / unsqueeze(permute(sum(e, {-1}), {1, 0}), 2);
       },
       {}},
      {"merged the other way",
       [](Tensor x, Tensor v) {
         Tensor e = exp(x);
         return reshape(matmul(e, v), {8, 3}) / reshape(permute(sum(e, {-1}), {1, 0}), {8, 1});
       },
       {}},
      {"cut across",
       [](Tensor x, Tensor v) {
         Tensor e = exp(x);
         return reshape(matmul(e, v), {8, 3}) / reshape(broadcast_in_dim(sum(e, {-1}), {3, 2, 4}, {1, 2}), {8, 3});
       },
       {}},
      {"a sum over all rows",
       [](Tensor x, Tensor v) {
         Tensor e = exp(x);
         return matmul(e, v) / sum(e, {1, 2}, true);
       },
       {}},
      {"another value where the coin falls",
       [](Tensor x, Tensor) {
         Tensor e = exp(x);
         return where(x > 0.5, e, 1) / sum(e, {-1}, true);
       },
       {}},
      {"a square of it",
       [](Tensor x, Tensor v) {
         Tensor e = exp(x);
         return tanh(matmul(e, v)) / sum(e, {-1}, true);
       },
       {}},
      {"divided by the dropped sum",
       [](Tensor x, Tensor) {
         Tensor e = exp(x), kept = where(x > 0.5, e, 0);
         return kept / sum(kept, {-1}, true);
       },
       {}},
  };
  return all;
}

TEST(RaiseLinear, finds_a_softmax_inside) {
  for (const Spelling& s : spellings()) {
    SCOPED_TRACE(s.name);
    Tensor x = weights(), v = values();
    Tensor y = s.by_hand(x, v), z = s.of_softmax(x, v);
    Tensor direction = sample(y.shape(), 5);
    auto gradients = [&](const Tensor& out) { return grad(sum(out * direction), x); };
    EXPECT_FALSE(holds(y.node(), Op::Softmax));
    const Tensor mine = gradients(y), theirs = gradients(z);
    EXPECT_TRUE(holds(y.node(), Op::Softmax)) << "no handle sees inside";
    const std::vector<double> a = y.to_vector<double>(), b = z.to_vector<double>();
    for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-12);
    const std::vector<double> g = mine.to_vector<double>(), h = theirs.to_vector<double>();
    for (size_t i = 0; i < g.size(); ++i) EXPECT_NEAR(g[i], h[i], 1e-12);
    GradcheckResult result =
        gradcheck([&](const Tensors& at) { return s.by_hand(at[0], at[1]); }, {x, v}, {.order = 2});
    EXPECT_TRUE(result) << result.str();
  }
}

TEST(RaiseLinear, leaves_what_is_something_else) {
  for (const Spelling& s : others()) {
    SCOPED_TRACE(s.name);
    Tensor x = weights(), y = s.by_hand(x, values());
    grad(sum(square(y)), x);
    EXPECT_FALSE(holds(y.node(), Op::Softmax));
  }
}

bool program_holds(const Program& program, Op op) {
  return std::any_of(program.instructions.begin(), program.instructions.end(),
                     [&](const Instruction& i) { return i.op == op; });
}

TEST(RaiseLinear, compiled_programs_hold_normal_forms) {
  auto by_hand = [](Tensor x, Tensor v) {
    Tensor e = exp(x - max(x, {-1}, true));  // handles that live while it is recorded do not matter
    Tensor l = sum(e, {-1}, true);
    return matmul(e, v) / l;
  };
  auto plain = compile(by_hand), strict = compile(by_hand, {.strict = true});
  const std::vector<double> expected = matmul(softmax(weights(), -1), values()).to_vector<double>();
  const std::vector<double> a = plain(weights(), values()).to_vector<double>(),
                            b = strict(weights(), values()).to_vector<double>();
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(a[i], expected[i], 1e-12);
    EXPECT_NEAR(b[i], expected[i], 1e-12);
  }
  EXPECT_TRUE(program_holds(*plain.program(), Op::Softmax));
  EXPECT_FALSE(program_holds(*strict.program(), Op::Softmax)) << "a strict program computes what is written";
}

TEST(RaiseLinear, casts_to_a_wider_type_and_back_do_not_hide_it) {
  auto through = [](DType between) {
    return compile([between](Tensor x) {
      auto there_and_back = [&](Tensor y) { return cast(cast(y, between), f32); };
      Tensor e = there_and_back(exp(there_and_back(x - there_and_back(max(x, {-1}, true)))));
      return e / there_and_back(sum(e, {-1}, true));
    });
  };
  const Tensor x = cast(weights(), f32);
  auto wide = through(f64), narrow = through(bf16);
  wide(x);
  narrow(x);
  EXPECT_TRUE(program_holds(*wide.program(), Op::Softmax));
  EXPECT_FALSE(program_holds(*narrow.program(), Op::Softmax)) << "a rounding that was asked for";
}

TEST(RaiseLinear, what_is_read_beside_the_result_stays) {
  auto both = compile([](Tensor x) {
    Tensor e = exp(x);
    return std::vector<Tensor>{e / sum(e, {-1}, true), e};
  });
  const std::vector<Tensor> got = both(weights());
  const std::vector<double> p = got[0].to_vector<double>(), e = got[1].to_vector<double>(),
                            q = softmax(weights(), -1).to_vector<double>(), f = exp(weights()).to_vector<double>();
  for (size_t i = 0; i < p.size(); ++i) {
    EXPECT_NEAR(p[i], q[i], 1e-12);
    EXPECT_NEAR(e[i], f[i], 1e-12);
  }
}

}  // namespace
}  // namespace tessera
