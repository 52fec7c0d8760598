// Equal programs share what is compiled; errors and reports still speak of the recording at hand.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tessera/autograd/grad.h>
#include <tessera/core/compile.h>
#include <tessera/core/error.h>
#include <tessera/core/executor.h>
#include <tessera/core/state.h>
#include <tessera/nn/losses.h>

namespace tessera {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Tensor rows_of(const Tensor& table, const Tensor& ids, const char* module) {
  ScopeGuard scope(module, Loc::here());
  return gather(table, ids, 0) * 2.0;
}

template <class F> ErrorText error_of(F f) {
  try {
    f();
  } catch (const Error& e) {
    return e.text();
  }
  ADD_FAILURE() << "no error";
  return {};
}

const Tensor table = zeros({5, 3}).eval();
Tensor inside() { return tensor<int32_t>({0, 4}).eval(); }
Tensor outside() { return tensor<int32_t>({0, 7}).eval(); }

// The same computation under two names, recorded at two lines: the second one is a hit in the program cache.
TEST(Places, AnIndexErrorNamesItsOwnRecording) {
  int64_t compiled = default_executor().compile_count();
  auto first = compile([](Tensor ids) { return rows_of(table, ids, "first"); });
  first(inside());
  auto second = compile([](Tensor ids) { return rows_of(table, ids, "second"); });
  second(inside());
  EXPECT_EQ(default_executor().compile_count(), compiled + 1);
  ErrorText error = error_of([&] { second(outside()); });
  EXPECT_EQ(error.path, "second");
  EXPECT_THAT(error.fault, HasSubstr("gather index 7 is out of range for dim 0 of extent 5"));
  EXPECT_EQ(error_of([&] { first(outside()); }).path, "first");
}

Program gather_program(uint32_t line, std::vector<BufferPtr>& arguments) {
  Tensor ids = outside();
  std::vector<NodePtr> captured;
  Tensor rows = gather(Operand(table, Loc{"user.cpp", line}), ids, 0);
  Program program = flatten({}, {rows.node()}, false, &captured);
  for (const NodePtr& node : captured) arguments.push_back(node->value);
  return program;
}

// As in training: the step is one program, and its weights are what they were when the error is thrown.
TEST(Places, ATargetThatIsNoClassIsFoundInATrainingStep) {
  State w("w", full({4, 3}, 0.5).eval());
  auto step = compile([&](Tensor x, Tensor y) {
    Tensor loss = nn::cross_entropy(matmul(x, w.value()), y);
    w.assign(w.value() - 0.1 * grad(loss, w.value()));
    return loss;
  });
  Tensor x = full({2, 4}, 1.0), wrong = tensor<int32_t>({0, 3}), right = tensor<int32_t>({0, 2});
  ErrorText error = error_of([&] { step(x, wrong); });
  EXPECT_THAT(error.fault, HasSubstr("index 3 is out of range for dim 0 of extent 3"));
  EXPECT_EQ(error.path, "cross_entropy");
  EXPECT_THAT(error.at.str(), HasSubstr("places_test.cpp"));
  EXPECT_EQ(w.value().to_vector<float>(), std::vector<float>(12, 0.5f));
  step(x, right);
  EXPECT_NE(w.value().to_vector<float>(), std::vector<float>(12, 0.5f));
}

TEST(Places, AlsoWhenThePlanComesFromTheDisk) {
  for (uint32_t line : {10u, 20u}) {
    std::vector<BufferPtr> arguments;
    Program program = gather_program(line, arguments);
    auto executable = find_executor("jit")->compile(program);  // past the cache in memory
    ErrorText error = error_of([&] { executable->run(program, arguments); });
    EXPECT_EQ(error.at.str(), "user.cpp:" + std::to_string(line));
  }
}

TEST(Places, ExplainNamesModulesAndLines) {
  auto layer = [](const Tensor& x, const Tensor& w, const char* name, Loc at) {
    ScopeGuard scope(name, at);
    return tanh(matmul(x, w));
  };
  auto step = compile(
      [&](Tensor x, Tensor w) {
        ScopeGuard model("model", Loc{"train.cpp", 7});
        ScopeGuard layers("layers", Loc{"train.cpp", 7});
        Tensor y = x;
        for (const char* name : {"0", "1", "2"}) y = layer(y, w, name, Loc{"train.cpp", 8});
        return sum(y);
      },
      {.name = "three_layers"});
  step(ones({64, 64}), ones({64, 64}));
  std::string report = step.text("explain");
  EXPECT_THAT(report, HasSubstr("three_layers: "));
  EXPECT_THAT(report, HasSubstr("model.layers.* ×3"));
  EXPECT_THAT(report, HasSubstr("3 × contract_tanh"));
  EXPECT_THAT(report, HasSubstr("places_test.cpp:"));
  EXPECT_THAT(report, HasSubstr("contract apart from tanh: both contract"));
  EXPECT_THAT(report, HasSubstr("2 × contract apart"));
  EXPECT_THAT(report, HasSubstr("reduce apart from tanh"));
  std::string table_of_launches = step.text("kernels");
  for (const char* path : {"model.layers.0", "model.layers.1", "model.layers.2"})
    EXPECT_THAT(table_of_launches, HasSubstr(path));
}

TEST(Places, AnUnnamedProgramIsNamedAfterItsLine) {
  auto step = compile([](Tensor x) { return x + 1.0; }, {}, Loc{"some/train.cpp", 41});
  step(ones({3}));
  EXPECT_THAT(step.text("explain"), ::testing::StartsWith("train.cpp:41: "));
  EXPECT_THAT(step.text("explain"), HasSubstr("Every op shares a kernel with what it reads."));
}

TEST(Places, EveryMissedPairHasAReason) {
  auto step = compile([](Tensor x, Tensor w) {
    Tensor loss = sum(softmax(matmul(argsort(x, 1) + x, w), 1) * x);
    return grad(loss, w);
  });
  step(ones({16, 16}), ones({16, 16}));
  std::string report = step.text("explain");
  EXPECT_THAT(report, HasSubstr("argsort is a routine of its own"));
  EXPECT_THAT(report, Not(HasSubstr(": \n")));
}

}  // namespace
}  // namespace tessera
