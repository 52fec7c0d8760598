// Channels innermost (tsr-layout) on the CUDA leg without a card: programs with channels first as texts on the processor,
// beside the reference and beside the same program as the user orders its dims; and what a residual network's plan holds.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include <tessera/autograd/grad.h>
#include <tessera/codegen/cuda/executor/lower_program.h>
#include <tessera/codegen/plan/explain.h>
#include <tessera/core/executor.h>
#include <tessera/core/operand_copies.h>
#include <tessera/core/ops.h>
#include <tessera/core/trace.h>
#include <tessera/nn/functional.h>
#include <tessera/nn/layers/pool.h>

#include "tests/codegen/cuda_rows/host_run.h"
#include "tests/codegen/cuda_rows/programs.h"
#include "tests/support/host_data.h"
#include "tests/support/training_steps.h"

namespace tessera::testing {
namespace {

using ::testing::AnyOf;
using ::testing::Each;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

Tensor conv(const Tensor& x, const Tensor& w, int64_t stride = 1, int64_t pad = -1) {
  if (pad < 0) pad = w.size(2) / 2;
  return contract(x, w, "nchw,kcrs->nkpq", {{'h', 'p', 'r', stride, 1, pad}, {'w', 'q', 's', stride, 1, pad}});
}

Tensor normalized(const Tensor& x, const Dims& dims) {
  return (x - mean(x, dims, true)) * rsqrt(variance(x, dims, true) + 1e-5);
}

struct LayoutProgram {
  const char* name;
  std::vector<Tensor> (*record)(const MakeInput&);
};

const LayoutProgram programs[] = {
    {"residual_block",  // batch norms, a shortcut with a stride, and all gradients
     [](const MakeInput& in) {
       Tensor x = in("x", f32, {2, 16, 9, 9}), w1 = in("w1", f32, {16, 16, 1, 1}), w2 = in("w2", f32, {16, 16, 3, 3}),
              w3 = in("w3", f32, {32, 16, 1, 1}), shortcut = in("shortcut", f32, {32, 16, 1, 1});
       Tensor y = nn::relu(normalized(conv(x, w1), {0, 2, 3}));
       y = nn::relu(normalized(conv(y, w2, 2), {0, 2, 3}));
       y = nn::relu(normalized(conv(y, w3), {0, 2, 3}) + normalized(conv(x, shortcut, 2), {0, 2, 3}));
       return grad(sum(y * in("dy", f32, y.shape())), {x, w1, w2, w3, shortcut});
     }},
    {"pooled",
     [](const MakeInput& in) {
       Tensor x = in("x", f32, {2, 3, 20, 20}), w1 = in("w1", f32, {16, 3, 7, 7}), w2 = in("w2", f32, {24, 16, 3, 3});
       Tensor y = nn::max_pool2d(nn::relu(conv(x, w1, 2)), {.size = 3, .stride = 2, .pad = 1});
       y = mean(conv(y, w2), {2, 3});
       std::vector<Tensor> all = grad(sum(y * in("dy", f32, y.shape())), {w1, w2});
       all.push_back(y);
       return all;
     }},
    {"few_channels",  // of which lines of taps are made, in a picture and in a line
     [](const MakeInput& in) {
       Tensor x = in("x", f32, {2, 1, 11, 13}), w = in("weight", f32, {16, 1, 3, 3}),
              sound = in("sound", f32, {3, 2, 40}), v = in("v", f32, {8, 2, 7});
       Tensor y = nn::relu(conv(x, w, 2)), z = nn::relu(contract(sound, v, "ncw,kcs->nkq", {{'w', 'q', 's', 4, 1, 3}}));
       std::vector<Tensor> all = grad(sum(y * in("dy", f32, y.shape())) + sum(z * in("dz", f32, z.shape())), {w, v});
       all.push_back(mean(y, {2, 3})), all.push_back(mean(z, {2}));
       return all;
     }},
    {"group_norm",
     [](const MakeInput& in) {
       Tensor x = in("x", f32, {2, 16, 6, 5}), w = in("weight", f32, {32, 16, 3, 3}), v = in("v", f32, {8, 32, 3, 3});
       Tensor y = conv(x, w);
       y = reshape(normalized(reshape(y, {2, 4, 8, 6, 5}), {2, 3, 4}), y.shape());
       y = conv(nn::silu(y), v);
       return grad(sum(y * in("dy", f32, y.shape())), {x, w, v});
     }},
    {"skips",  // a concatenation of channels, which is what a U-Net reads on its way up
     [](const MakeInput& in) {
       Tensor x = in("x", f32, {2, 8, 8, 8}), w = in("weight", f32, {16, 8, 3, 3}), v = in("v", f32, {8, 24, 3, 3});
       Tensor up = contract(conv(x, w, 2), in("up", f32, {16, 16, 2, 2}), "ncpq,ckrs->nkhw",
                            {{'h', 'p', 'r', 2, 1, 0}, {'w', 'q', 's', 2, 1, 0}}, {{'h', 8}, {'w', 8}});
       Tensor y = conv(concat({nn::relu(up), x}, 1), v);
       return std::vector{y, grad(sum(y * y), w)};
     }},
    {"patches",  // of a picture that is given, of one that is computed, and of a sound with one channel
     [](const MakeInput& in) {
       Tensor x = in("x", f32, {2, 3, 16, 24}), w1 = in("w1", f32, {16, 3, 8, 8});
       Tensor y = conv(x, w1, 8, 0) + in("bias", f32, {16, 1, 1});
       y = concat({in("class", f32, {2, 1, 16}), transpose(reshape(y, {2, 16, 6}), 1, 2)}, 1);
       Tensor z = in("z", f32, {2, 4, 8, 6}), w2 = in("w2", f32, {24, 4, 2, 2}), v = conv(z * z, w2, 2, 0);
       Tensor sound = in("sound", f32, {3, 1, 64}), w3 = in("w3", f32, {8, 1, 16});
       Tensor u = contract(sound, w3, "ncw,kcs->nkq", {{'w', 'q', 's', 16, 1, 0}});
       std::vector<Tensor> all = grad(sum(nn::gelu(y) * in("dy", f32, y.shape())) + sum(v * in("dv", f32, v.shape())) +
                                          sum(u * in("du", f32, u.shape())),
                                      {w1, w2, w3, z});
       all.push_back(y), all.push_back(mean(v, {2, 3})), all.push_back(u);
       return all;
     }},
    {"bf16",
     [](const MakeInput& in) {
       Tensor x = in("x", bf16, {2, 16, 7, 6}), w = in("weight", bf16, {24, 16, 3, 3}),
              b = in("bias", bf16, {24, 1, 1});
       return std::vector{max(conv(nn::relu(conv(x, w) + b), in("v", bf16, {8, 24, 3, 3})), {2, 3})};
     }},
};

RowProgram recorded(const LayoutProgram& program) {
  Draw draw(31);
  RowProgram made = recorded_program(
      program.name,
      [&](const std::string&, DType dtype, const Shape& shape) {
        return random_tensor(draw, dtype, shape, Domain{-1, 1});
      },
      program.record);
  made.program.precision = "bf16_mixed";
  return made;
}

double distance(const RowProgram& made, const std::vector<BufferPtr>& a, const std::vector<BufferPtr>& b, size_t k) {
  const Tensor& type = made.results[k];
  const std::vector<double> x = tensor_from(a[k], type.dtype(), type.shape()).to_vector<double>(),
                            y = tensor_from(b[k], type.dtype(), type.shape()).to_vector<double>();
  double apart = 0, size = 0;
  for (size_t i = 0; i < x.size(); ++i) apart += (x[i] - y[i]) * (x[i] - y[i]), size += y[i] * y[i];
  return std::sqrt(apart / size);
}

bool has_tiles(const cuda::LoweredProgram& lowered) {
  return std::ranges::any_of(lowered.kernels,
                             [](const auto& k) { return k.text.find("tile.cuh") != std::string::npos; });
}

class CudaLayout : public ::testing::TestWithParam<LayoutProgram> {};

// Both round the same values, so they are closer to each other than to anything; 2⁻⁸ is one rounding to bf16.
TEST_P(CudaLayout, gives_what_the_users_order_gives) {
  const RowProgram made = recorded(GetParam());
  const cuda::LoweredProgram moved = cuda::lower_program(made.program, {"sm_90a", 0});
  EXPECT_TRUE(has_tiles(moved));
  EXPECT_TRUE(std::ranges::any_of(moved.plan.remarks, [](const auto& r) { return r.category == "layout"; }));
  const cuda::LoweredProgram as_named = cuda::lower_program(made.program, {});
  EXPECT_FALSE(std::ranges::any_of(as_named.plan.remarks, [](const auto& r) { return r.category == "layout"; }));
  const std::vector<BufferPtr> got = run_on_host(moved, made.program, made.arguments);
  EXPECT_EQ(got.size(), made.results.size());
  const std::vector<BufferPtr> other = run_on_host(as_named, made.program, made.arguments);
  std::vector<BufferPtr> arguments = made.arguments;
  const std::vector<BufferPtr> expected = reference_executor().compile(made.program)->run(made.program, arguments);
  for (size_t k = 0; k < got.size(); ++k) {
    EXPECT_LT(distance(made, got, other, k), 8e-3) << "result " << k;
    EXPECT_LT(distance(made, got, expected, k), 1.2 * distance(made, other, expected, k) + 1e-4) << "result " << k;
  }
}

INSTANTIATE_TEST_SUITE_P(programs, CudaLayout, ::testing::ValuesIn(programs),
                         [](const auto& one) { return one.param.name; });

// Operands rounded to bf16 once and multiplied without any other rounding: sums of f32 are as near to sums of f64 as their order
// makes them. One more rounding, or one less, would leave some 2⁻⁹ of the size of a sum.
TEST(CudaLayouts, patches_are_products_of_what_is_rounded_once) {
  constexpr int64_t pictures = 2, colours = 3, height = 16, width = 24, size = 8, features = 16;
  Draw draw(7);
  const RowProgram made = [&] {
    RowProgram one = recorded_program(
        "patches",
        [&](const std::string&, DType dtype, const Shape& shape) {
          return random_tensor(draw, dtype, shape, Domain{-1, 1});
        },
        [](const MakeInput& in) {
          Tensor x = in("x", f32, {pictures, colours, height, width}),
                 w = in("weight", f32, {features, colours, size, size}), y = conv(x, w, size, 0);
          return std::vector{y, grad(sum(y * in("dy", f32, y.shape())), w)};
        });
    one.program.precision = "bf16_mixed";
    return one;
  }();
  auto rounded = [&](size_t k, const Shape& shape) {
    return cast(tensor_from(made.arguments[k], f32, shape), bf16).to_vector<double>();
  };
  constexpr int64_t rows = height / size, columns = width / size;
  const std::vector<double> x = rounded(0, {pictures, colours, height, width}),
                            w = rounded(1, {features, colours, size, size}),
                            dy = rounded(2, {pictures, features, rows, columns});
  std::vector<double> y(dy.size()), dw(w.size());
  for (int64_t n = 0; n < pictures; ++n)
    for (int64_t k = 0; k < features; ++k)
      for (int64_t p = 0; p < rows; ++p)
        for (int64_t q = 0; q < columns; ++q)
          for (int64_t c = 0; c < colours; ++c)
            for (int64_t r = 0; r < size; ++r)
              for (int64_t s = 0; s < size; ++s) {
                const auto of_y = static_cast<size_t>(((n * features + k) * rows + p) * columns + q),
                           of_w = static_cast<size_t>(((k * colours + c) * size + r) * size + s),
                           of_x =
                               static_cast<size_t>(((n * colours + c) * height + p * size + r) * width + q * size + s);
                y[of_y] += x[of_x] * w[of_w], dw[of_w] += x[of_x] * dy[of_y];
              }
  for (const char* architecture : {"sm_90a", "sm_80"}) {
    const cuda::LoweredProgram lowered = cuda::lower_program(made.program, {architecture, 0});
    EXPECT_EQ(has_tiles(lowered), architecture == std::string_view("sm_90a"));
    const std::vector<BufferPtr> got = run_on_host(lowered, made.program, made.arguments);
    for (const auto& [k, expected] : {std::pair{size_t{0}, &y}, {size_t{1}, &dw}}) {
      const Tensor& type = made.results[k];
      const std::vector<double> values = tensor_from(got[k], type.dtype(), type.shape()).to_vector<double>();
      for (size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(values[i], (*expected)[i], 2e-5) << k << " " << i;
    }
  }
}

// Between the convolutions of a residual network nothing is turned round: filters with taps are, and the gradients that their
// optimizer reads are read so. All but the first layer, whose pictures have three channels, run by the copy engine; gradients
// of some filters without taps are plain products for which it is thought slower.
TEST(CudaLayouts, turn_nothing_but_filters_in_a_residual_network) {
  const TrainingStep training = training_step("resnet", {});
  Trace trace;
  std::vector<Tensor> batch;
  for (const auto& a : training.arguments) batch.push_back(trace.argument(a.dtype, a.shape, a.name));
  Trace::Recorded recorded = trace.finish({training(batch)}, "resnet");
  recorded.program.precision = "bf16_mixed";
  OperandCopies(recorded, batch.size());
  const cuda::LoweredProgram lowered = cuda::lower_program(recorded.program, {"sm_90a"});
  const codegen::Plan& plan = lowered.plan;
  int turned = 0;
  std::vector<std::string> of_any_card;
  for (const codegen::PlanLaunch& launch : plan.launches) {
    if (launch.what != codegen::PlanLaunch::What::kernel) continue;
    const codegen::PlanKernel& kernel = plan.kernels[static_cast<size_t>(launch.kernel)];
    if (kernel.name == "transpose") {
      ++turned;
      EXPECT_THAT(plan.values[static_cast<size_t>(launch.values.back())].type, HasSubstr("x3x3x"));
    }
    if (kernel.kind == "contract" &&
        lowered.kernels[static_cast<size_t>(launch.kernel)].text.find("tile.cuh") == std::string::npos)
      of_any_card.push_back(codegen::module_of(recorded.program, codegen::chief_op(recorded.program, launch)));
  }
  EXPECT_EQ(turned, 16);
  EXPECT_THAT(of_any_card, Each(AnyOf("resnet.conv1", "resnet.fc", EndsWith(".grad"))));
  EXPECT_THAT(of_any_card, Each(Not(HasSubstr("conv2"))));
}

}  // namespace
}  // namespace tessera::testing
