// Fifty spellings, one kernel: what says the same gets the same forward kernel, and right numbers. `spellings_test
// --programs=2000 --seed=1` draws more by hand; without a seed a fresh one is drawn and printed.

#include <cstdio>
#include <cstring>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include <tessera/autograd/grad.h>
#include <tessera/codegen/cpu/cascade.h>
#include <tessera/codegen/executor/compile_fuse.h>
#include <tessera/core/compile.h>
#include <tessera/core/convert.h>
#include <tessera/core/executor.h>
#include <tessera/core/random.h>
#include <tessera/ir/compile_ir.h>
#include <tessera/ir/fuse/Fuse.h>

#include "tests/planes/difference.h"
#include "tests/planes/spellings.h"

namespace tessera::testing {
namespace {

uint64_t first_seed = std::random_device{}();
int64_t program_count = 200;

// Keys of the cascades of a program, in its order: the first one is the forward kernel. Strides of operands are
// parameters of a kernel and no part of its key.
std::vector<std::string> cascade_keys(const Program& program) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  codegen::load_fuse_dialects(context);
  ir::load_dialects(context);
  auto module = ir::import_program(context, program);
  ir::lower_to_fuse(*module);
  std::vector<std::string> keys;
  module->walk([&](fuse::CascadeOp cascade) {
    keys.push_back(codegen::lower_cascade(cascade, codegen::host_target()).kernel.key);
  });
  return keys;
}

std::vector<Tensor> results(const SpelledAttention& attention, bool trains, const std::vector<Tensor>& in) {
  Tensor o = attention.body(in);
  std::vector<Tensor> all{o};
  if (trains)
    for (Tensor& g : grad(sum(o * o * 0.5 + o), in)) all.push_back(g);
  return all;
}

struct Outcome {
  std::vector<std::string> keys;
  double error = 0;  // the largest of the output's and the gradients', against f64
};

template <class Body> Outcome outcome(const Body& body, const std::vector<Tensor>& in,
                                      const std::vector<Tensor>& exact) {
  seed(5);
  auto tested = compile(body);
  const std::vector<Tensor> got = tested(in);
  Outcome out{cascade_keys(*tested.program())};
  seed(5);
  UseExecutor reference(reference_executor());
  auto truth = compile(body);
  const std::vector<Tensor> expected = truth(exact);
  for (size_t k = 0; k < got.size(); ++k) {
    const double off = difference(got[k], expected[k]);
    if (!(off <= out.error)) out.error = off;  // also where it is no number
  }
  return out;
}

Outcome outcome(Family family, const Spelling& how, bool trains) {
  const DType storage = family == Family::narrow_operands ? bf16 : f32;
  const SpelledAttention mine = spelled(family, how, storage, f32, 11), exact = spelled(family, how, storage, f64, 11);
  auto body = [&](std::vector<Tensor> in) { return results(in[0].dtype() == f64 ? exact : mine, trains, in); };
  return outcome(body, mine.arguments, exact.arguments);
}

double tolerance(Family family, bool trains) {
  if (family == Family::narrow_operands && trains) return 4e-3;  // gradients are bf16
  // Weights are rounded before their row divides them, and not after: two roundings of bf16 apart.
  if (family == Family::narrow_weights) return 4e-3;
  // A score next to the middle of two bf16 numbers goes either way.
  if (family == Family::narrow_scores) return 3e-4;
  return trains ? 1e-6 : 3e-7;
}

// Output; dQ; dK and dV. One more where the sum of P ∘ dP is none that the forward has made, behind a transpose whose dims a
// reshape merges, and the gradient of scores is asked for itself: by a bias, or to be rounded.
size_t cascades_in_training(Family family, const Spelling& how) {
  const std::string words = describe(how);
  auto says = [&](const char* what) { return words.find(what) != std::string::npos; };
  const bool merges = says("transposed scores") && (says("merged heads") || says("heads grouped"));
  return merges && (family == Family::bias || family == Family::narrow_scores) ? 4 : 3;
}

// Each way of each choice by itself, and what people write.
std::vector<Spelling> listed(Family family) {
  std::vector<Spelling> all{{}};
  for (const Choice& choice : choices())
    for (int way = 0; way < static_cast<int>(choice.ways.size()); ++way) {
      Spelling one;
      one.*choice.field = way;
      if (way > 0) all.push_back(one);
    }
  const int last_softmax = static_cast<int>(choices()[2].ways.size());
  for (int softmax = 1; softmax < last_softmax; ++softmax) {  // the same by hand, where dims are split and merged
    Spelling one;
    one.softmax = softmax;
    one.layout = 4;
    all.push_back(one);
    one.layout = 0;
    one.heads = 1;
    all.push_back(one);
  }
  if (family == Family::narrow_operands) {
    std::vector<Spelling> twice;
    for (Spelling one : all)
      for (int casts : {3, 4}) {
        if (one.casts != 0) continue;
        one.casts = casts;
        twice.push_back(one);
        one.casts = 0;
      }
    all = twice;
  }
  std::erase_if(all, [&](const Spelling& one) { return !is_sayable(family, one); });
  return all;
}

class Spellings : public ::testing::TestWithParam<std::tuple<Family, bool>> {};

TEST_P(Spellings, share_one_forward_kernel) {
  const auto [family, trains] = GetParam();
  std::map<std::string, int> groups;  // keys, and how many spellings have them
  for (const Spelling& how : listed(family)) {
    SCOPED_TRACE(describe(how));
    const Outcome got = outcome(family, how, trains);
    ASSERT_FALSE(got.keys.empty());
    std::printf("%s  %.1e  %s\n", got.keys[0].substr(0, 12).c_str(), got.error, describe(how).c_str());
    ++groups[got.keys[0]];
    EXPECT_LE(got.error, tolerance(family, trains));
    EXPECT_EQ(got.keys.size(), trains ? cascades_in_training(family, how) : 1U);
  }
  for (const auto& [key, count] : groups)
    std::printf("%s, %s: %d spellings have the forward kernel %s\n", name(family), trains ? "training" : "inference",
                count, key.substr(0, 12).c_str());
  EXPECT_EQ(groups.size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(List, Spellings, ::testing::Combine(::testing::ValuesIn(families()), ::testing::Bool()),
                         [](const auto& one) {
                           std::string text = name(std::get<0>(one.param));
                           for (char& c : text)
                             if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
                           return text + (std::get<1>(one.param) ? "_training" : "_inference");
                         });

TEST(SpellingsGrammar, draws_share_them_too) {
  std::printf("seed %llu\n", static_cast<unsigned long long>(first_seed));
  Draw draw(first_seed);
  std::map<std::pair<Family, bool>, std::string> expected;
  std::map<std::pair<Family, bool>, int64_t> drawn;
  int failures = 0;
  for (int64_t i = 0; i < program_count && failures < 20; ++i) {
    const Family family = families()[static_cast<size_t>(draw.below(static_cast<int64_t>(families().size())))];
    const bool trains = draw.below(2) == 1;
    const Spelling how = draw_spelling(family, draw);
    auto& key = expected[{family, trains}];
    if (key.empty()) key = outcome(family, listed(family).front(), trains).keys[0];
    const Outcome got = outcome(family, how, trains);
    ++drawn[{family, trains}];
    const bool right = !got.keys.empty() && got.keys[0] == key && got.error <= tolerance(family, trains);
    failures += !right;
    EXPECT_TRUE(right) << name(family) << (trains ? ", training: " : ": ") << describe(how) << ": error " << got.error;
  }
  for (const auto& [of, n] : drawn)
    std::printf("%4ld programs of %s, %s\n", static_cast<long>(n), name(of.first),
                of.second ? "training" : "inference");
  // What is computed is not what is drawn: other families have other kernels.
  std::set<std::string> keys;
  for (const auto& [of, key] : expected)
    if (of.first != Family::narrow_operands) keys.insert(key);
  size_t others = 0;
  for (const auto& [of, key] : expected) others += of.first != Family::narrow_operands;
  EXPECT_EQ(keys.size(), others);
}

// Statistics that are neither a maximum nor a sum of exponentials go through the same solver.
TEST(OtherStatistics, fuse_too) {
  Draw draw(3);
  std::vector<Tensor> in, exact;
  for (const Shape& shape : {Shape{2, 4, 37, 40}, Shape{2, 4, 41, 40}, Shape{2, 4, 41, 24}}) {
    Tensor x = random_tensor(draw, f32, shape, {-1, 1});
    in.push_back(x);
    exact.push_back(from_doubles(x.to_vector<double>(), f64, shape));
  }
  auto with = [](auto weights) {
    return [=](std::vector<Tensor> of) {
      return std::vector<Tensor>{matmul(weights(matmul(of[0], transpose(of[1]))), of[2])};
    };
  };
  auto scaled_squares = [](Tensor s) {
    Tensor x = s / max(abs(s), {-1}, true);
    return x * x;
  };
  auto over_rms = [](Tensor s) { return s / sqrt(mean(s * s, {-1}, true) + 1e-6); };
  for (const auto& [what, got] : {std::pair{"squares scaled by the largest", outcome(with(scaled_squares), in, exact)},
                                  std::pair{"x / rms(x)", outcome(with(over_rms), in, exact)}}) {
    std::printf("%s: %zu kernel, error %.1e\n", what, got.keys.size(), got.error);
    EXPECT_EQ(got.keys.size(), 1U) << what;
    EXPECT_LE(got.error, 3e-7) << what;
  }
}

}  // namespace
}  // namespace tessera::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], "--programs=", 11) == 0) tessera::testing::program_count = std::stoll(argv[i] + 11);
    if (std::strncmp(argv[i], "--seed=", 7) == 0) tessera::testing::first_seed = std::stoull(argv[i] + 7);
  }
  return RUN_ALL_TESTS();
}
