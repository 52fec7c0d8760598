// What grad() refuses, and that it names the line.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tessera/autograd/grad.h>
#include <tessera/core/compile.h>
#include <tessera/core/error.h>

namespace tessera {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <class F> std::string error_of(F f, const char* code) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

std::string here(uint32_t line) { return "grad_error_test.cpp:" + std::to_string(line); }

TEST(GradError, LossWithSeveralElements) {
  Tensor x = tensor<float>({1, 2});
  uint32_t line = __LINE__ + 1;
  std::string text = error_of([&] { grad(x * x, x); }, "T-G007");
  EXPECT_THAT(text, HasSubstr("2 elements"));
  EXPECT_THAT(text, HasSubstr(here(line)));
}

TEST(GradError, IntegerParameter) {
  Tensor x = tensor<int32_t>({1, 2});
  EXPECT_THAT(error_of([&] { grad(sum(x * 0.5), {tensor<float>({1}), x}); }, "T-G002"),
              HasSubstr("parameter 1 is i32"));
}

TEST(GradError, IntegerLoss) {
  Tensor x = tensor<int32_t>({1, 2});
  error_of([&] { grad(sum(x), tensor<float>({1})); }, "T-G002");
}

TEST(GradError, EmptyTensors) {
  Tensor x = tensor<float>({1, 2}), none;
  EXPECT_THAT(error_of([&] { grad(none, x); }, "T-V002"), HasSubstr("the loss"));
  EXPECT_THAT(error_of([&] { grad(sum(x), {x, none}); }, "T-V002"), HasSubstr("parameter 1"));
  error_of([&] { grad(sum(x), std::vector<State*>{nullptr}); }, "T-V002");
}

TEST(GradError, HistoryGoneBecauseTheLossWasRead) {
  Tensor x = tensor<float>({1, 2});
  Tensor loss = sum(x * x);
  loss.item<float>();
  uint32_t line = __LINE__ - 1;
  std::string text = error_of([&] { grad(loss, x); }, "T-G001");
  EXPECT_THAT(text, HasSubstr("read"));
  EXPECT_THAT(text, HasSubstr(here(line)));
}

TEST(GradError, HistoryGoneInTheMiddle) {
  Tensor x = tensor<float>({1, 2}), w = tensor<float>({3, 4});
  Tensor hidden = tanh(x * x);
  hidden.eval();
  error_of([&] { grad(sum(hidden * w), {w, x}); }, "T-G001");
  EXPECT_EQ(grad(sum(hidden * w), w).shape(), w.shape());
  EXPECT_THAT(grad(sum(stop_gradient(hidden) * w), {w, x})[1].to_vector<float>(), ElementsAre(0, 0));
}

TEST(GradError, ParametersThatWereReadAreNoHistory) {
  Tensor w = tensor<float>({3, 4}) * 2, unused = tensor<float>({1});
  w.eval();
  EXPECT_THAT(grad(sum(w * w), {w, unused})[1].to_vector<float>(), ElementsAre(0));
}

TEST(GradError, AReadTableIsNoHistoryInsideCompile) {
  State w("w", tensor<float>({3, 4})), unused("unused", tensor<float>({1}));
  Tensor table = sin(tensor<float>({1, 2}));
  table.eval();
  auto step = compile([&] { return grad(sum(table * w.value()), std::vector<State*>{&w, &unused})[1]; });
  EXPECT_THAT(step().to_vector<float>(), ElementsAre(0));
}

TEST(GradError, AFunctionWithoutBackward) {
  Tensor x = tensor<float>({1, 2});
  auto opaque = custom_vjp([](const Tensors& in) { return Tensors{exp(in[0])}; }, nullptr);
  Tensor y = opaque({x})[0];
  EXPECT_THAT(y.to_vector<float>(), ::testing::SizeIs(2));
  uint32_t line = __LINE__ - 3;  // of exp
  std::string text = error_of([&] { grad(sum(opaque({x})[0]), x); }, "T-G003");
  EXPECT_THAT(text, HasSubstr(here(line)));
  EXPECT_NO_THROW(grad(sum(opaque({x})[0] * x), tensor<float>({1})));
  EXPECT_NO_THROW(grad(sum(stop_gradient(opaque({x})[0]) * x), x));
}

TEST(GradError, CotangentsThatDoNotFit) {
  Tensor x = tensor<float>({1, 2});
  error_of([&] { vjp({x * x}, {}, {x}); }, "T-G006");
  error_of([&] { vjp({x * x}, {tensor<float>({1})}, {x}); }, "T-G006");
}

TEST(GradError, BackwardOfTheWrongShapeOrCount) {
  Tensor x = tensor<float>({1, 2});
  auto identity = [](const Tensors& in) { return in; };
  auto wrong_count = custom_vjp(identity, [](auto&, auto&, auto&) { return Tensors{}; });
  EXPECT_THAT(error_of([&] { grad(sum(wrong_count({x})[0]), x); }, "T-G004"), HasSubstr("0 gradients for 1 inputs"));
  auto wrong_shape = custom_vjp(identity, [](auto&, auto&, const Tensors& g) { return Tensors{sum(g[0])}; });
  EXPECT_THAT(error_of([&] { grad(sum(wrong_shape({x})[0]), x); }, "T-G004"), HasSubstr("input 0 of shape [2]"));
}

}  // namespace
}  // namespace tessera
