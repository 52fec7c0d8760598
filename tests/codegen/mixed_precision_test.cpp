// bf16_mixed through the compiler: against the reference, which rounds what contractions read; in memory; in training. And
// tf32, which the processor multiplies as f32.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include <nlohmann/json.hpp>

#include <tessera/core/convert.h>
#include <tessera/core/executor.h>
#include <tessera/core/program.h>
#include <tessera/nn/models/gpt.h>
#include <tessera/nn/models/unet.h>
#include <tessera/nn/models/vit.h>
#include <tessera/tessera.h>

namespace tessera {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

using Function = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;

std::vector<Tensor> run(const std::string& executor, const Function& f, const std::vector<Tensor>& arguments,
                        Precision precision) {
  UseExecutor use(*find_executor(executor));
  auto compiled = compile([&](std::vector<Tensor> in) { return f(in); }, {.precision = precision});
  std::vector<Tensor> results = compiled(arguments);
  for (Tensor& result : results) result.to_vector<double>();  // before the executor is another one
  return results;
}

// Of the differences, as a share of the values.
double distance(const Tensor& a, const Tensor& b) {
  const std::vector<double> x = a.to_vector<double>(), y = b.to_vector<double>();
  double apart = 0, size = 0;
  for (size_t i = 0; i < x.size(); ++i) apart += (x[i] - y[i]) * (x[i] - y[i]), size += y[i] * y[i];
  return std::sqrt(apart / size);
}

// The compiled program rounds where the reference does, so it is closer to that than to f32, which is 2⁻⁹ or so away.
void expect_same_roundings(const Function& f, const std::vector<Tensor>& arguments, double most) {
  const std::vector<Tensor> got = run("jit", f, arguments, "bf16_mixed"),
                            want = run("reference", f, arguments, "bf16_mixed"),
                            plain = run("reference", f, arguments, "f32");
  for (size_t k = 0; k < got.size(); ++k) {
    EXPECT_LT(distance(got[k], want[k]), most) << "result " << k;
    EXPECT_GT(distance(got[k], plain[k]), 2e-4) << "result " << k << " is what f32 gives";
    EXPECT_LT(distance(got[k], plain[k]), 3e-2) << "result " << k;
  }
}

Tensor draw(Shape shape, uint64_t stream) {
  std::vector<float> values(static_cast<size_t>(shape.numel()));
  uint64_t state = stream * 7919 + 1;
  for (float& value : values) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    value = static_cast<float>(static_cast<double>(state >> 40) / (1 << 24) * 2 - 1);
  }
  return tensor(values, shape);
}

TEST(MixedPrecision, a_product_is_that_of_rounded_operands) {
  // No kernel stores anything else here, so nothing but the order of f32 sums is left to differ.
  expect_same_roundings([](const std::vector<Tensor>& in) { return std::vector<Tensor>{matmul(in[0], in[1])}; },
                        {draw({37, 53}, 1), draw({53, 29}, 2)}, 2e-6);
}

// The data gradient is written in phases, which lie in memory, rounded, before they are put together.
TEST(MixedPrecision, a_convolution_and_its_gradients_round_as_the_reference_does) {
  expect_same_roundings(
      [](const std::vector<Tensor>& in) {
        Tensor y = contract(in[0], in[1], "nchw,kcrs->nkpq",
                            {{.in = 'h', .out = 'p', .tap = 'r', .stride = 2, .pad = 1},
                             {.in = 'w', .out = 'q', .tap = 's', .stride = 2, .pad = 1}});
        std::vector<Tensor> out = grad(sum(y * in[2]), {in[0], in[1]});
        out.push_back(y);
        return out;
      },
      {draw({2, 3, 9, 9}, 1), draw({4, 3, 3, 3}, 2), draw({2, 4, 5, 5}, 3)}, 5e-3);
}

TEST(MixedPrecision, two_layers_and_their_gradients_round_as_the_reference_does) {
  expect_same_roundings(
      [](const std::vector<Tensor>& in) {
        Tensor loss = mean(square(matmul(gelu(matmul(in[0], in[1])), in[2])));
        std::vector<Tensor> out = grad(loss, {in[1], in[2]});
        out.push_back(loss);
        return out;
      },
      {draw({64, 32}, 1), draw({32, 48}, 2), draw({48, 16}, 3)}, 5e-3);
}

TEST(MixedPrecision, attention_and_its_gradients_round_as_the_reference_does) {
  auto attend = [](const std::vector<Tensor>& in) {
    Tensor o = nn::attention(in[0], in[1], in[2], {.causal = true});
    std::vector<Tensor> out = grad(sum(o * in[3]), {in[0], in[1], in[2]});
    out.push_back(o);
    return out;
  };
  const Shape shape{2, 96, 2, 32};
  expect_same_roundings(attend, {draw(shape, 1), draw(shape, 2), draw(shape, 3), draw(shape, 4)}, 1e-2);
}

// What a user rounds on the way is not stored wider again, between kernels or beside arguments.
TEST(MixedPrecision, casts_of_the_user_round) {
  const Function f = [](const std::vector<Tensor>& in) {
    const Tensor &x = in[0], head = matmul(softmax(matmul(x, transpose(x)), -1), x);
    return std::vector<Tensor>{cast(cast(x, f8e4m3), f32), cast(cast(x, bf16), f32), cast(cast(x, f16), f32),
                               cast(cast(head, f8e4m3), f32), cast(cast(cast(head, bf16), f16), f32)};
  };
  const std::vector<Tensor> got = run("jit", f, {draw({2, 256, 16}, 1)}, "bf16_mixed"),
                            want = run("reference", f, {draw({2, 256, 16}, 1)}, "bf16_mixed");
  for (const size_t k : {0, 1, 2})
    EXPECT_EQ(got[k].to_vector<float>(), want[k].to_vector<float>()) << "an argument, cast " << k;
  const std::vector<float> head = got[3].to_vector<float>();
  EXPECT_EQ(cast(cast(got[3], f8e4m3), f32).to_vector<float>(), head) << "not numbers of f8";
  EXPECT_EQ(cast(cast(cast(got[4], bf16), f16), f32).to_vector<float>(), got[4].to_vector<float>())
      << "not of both formats";
  EXPECT_LT(distance(got[4], want[4]), 5e-3);
}

// What a kernel's result can hold says nothing of what its numbers went through.
TEST(MixedPrecision, kernels_that_only_round_are_told_by_the_formats_on_the_way) {
  UseExecutor use(*find_executor("jit"));
  auto step = compile([](Tensor x) { return cast(cast(x, f8e4m3), f32); }, {.precision = "bf16_mixed"});
  step(draw({64}, 1));
  const json plan = json::parse(step.text("plan.json"));
  ASSERT_EQ(plan.at("launches").size(), 1U);
  EXPECT_EQ(plan.at("launches")[0].at("moves"), "rounds");
}

// Reductions over all rows are f32 where they grow, and another kernel rounds them.
TEST(MixedPrecision, extremes_and_sums_of_columns_are_narrow_where_their_elements_are) {
  const Function f = [](const std::vector<Tensor>& in) {
    const Tensor x = cast(in[0], bf16);
    return std::vector<Tensor>{cast(max(x, {0}), f32), cast(sum(x, {0}), f32)};
  };
  const std::vector<Tensor> got = run("jit", f, {draw({64, 40}, 1)}, "bf16_mixed"),
                            want = run("reference", f, {draw({64, 40}, 1)}, "bf16_mixed");
  EXPECT_EQ(got[0].to_vector<float>(), want[0].to_vector<float>());
  EXPECT_LT(distance(got[1], want[1]), 5e-3);
}

TEST(MixedPrecision, attention_stays_in_cascades) {
  UseExecutor use(*find_executor("jit"));
  auto attend = compile(
      [](Tensor q, Tensor k, Tensor v) {
        Tensor o = nn::attention(q, k, v, {.causal = true});
        return grad(sum(square(o)), {q, k, v});
      },
      {.precision = "bf16_mixed"});
  const Shape shape{1, 128, 2, 32};
  attend(draw(shape, 1), draw(shape, 2), draw(shape, 3));
  const json plan = json::parse(attend.text("plan.json"));
  int cascades = 0;
  for (const json& kernel : plan.at("kernels")) cascades += kernel.at("kind") == "cascade";
  EXPECT_EQ(cascades, 3) << attend.text("plan");
}

// The first columns of q and k turned by halves, q, k and v of one product: beside cascades there are the roundings of both
// arguments, the product, the loss and the two products of gradients, as without rotation.
TEST(MixedPrecision, rotation_of_packed_projections_stays_in_cascades) {
  UseExecutor use(*find_executor("jit"));
  constexpr int64_t length = 128, heads = 2, width = 128, turned = 32;
  const Tensor cosine = draw({length, 1, turned}, 3), sine = draw({length, 1, turned}, 4);
  auto rotated = [&](const Tensor& x) {
    Tensor first = slice(x, 3, {0, turned}), low = slice(first, 3, {0, turned / 2}),
           high = slice(first, 3, {turned / 2, turned});
    return concat({first * cosine + concat({-high, low}, 3) * sine, slice(x, 3, {turned, width})}, 3);
  };
  auto attend = compile(
      [&](Tensor x, Tensor weight) {
        Tensor packed = reshape(einsum("btc,fc->btf", x, weight), {1, length, 3, heads, width});
        Tensor of[3];
        for (int64_t i = 0; i < 3; ++i) of[i] = reshape(slice(packed, 2, {i, i + 1}), {1, length, heads, width});
        Tensor o = nn::attention(rotated(of[0]), rotated(of[1]), of[2], {.causal = true});
        return grad(sum(square(o)), {x, weight});
      },
      {.precision = "bf16_mixed"});
  attend(draw({1, length, 48}, 1), draw({3 * heads * width, 48}, 2));
  const std::string fuse = attend.text("fuse");
  auto count = [&](const std::string& op) {
    int found = 0;
    for (size_t at = fuse.find(op); at != std::string::npos; at = fuse.find(op, at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(count("fuse.cascade"), 3) << fuse;
  EXPECT_EQ(count("fuse.kernel"), 6) << fuse;
}

// ---- what lies in memory ----

// Launches of the training step of a model, and the State copies beside.
struct Step {
  json plan;
  std::string explain;
  int64_t arena() const { return plan.at("arena_bytes"); }
  std::string name_of(const json& launch) const {
    if (launch.at("kernel") < 0) return launch.at("library");
    return plan.at("kernels")[launch.at("kernel").get<size_t>()].at("name");
  }
  // Kernels that compute nothing but a rounding.
  std::vector<std::string> casts() const {
    std::vector<std::string> found;
    for (const json& launch : plan.at("launches"))
      if (launch.at("moves") == "rounds") found.push_back(launch.dump());
    return found;
  }
  // But for those that only sum, and round perhaps: of what stays wide, while the contraction that would sum it besides
  // reads it rounded.
  int64_t launches() const {
    const json& all = plan.at("launches");
    return std::count_if(all.begin(), all.end(), [&](const json& launch) {
      const std::string name = name_of(launch);
      return name != "reduce" && name != "reduce_sum" && name != "reduce_cast" && name != "cast_reduce" &&
             name != "cast_reduce_sum";
    });
  }
};

template <class Model, class Loss, class... Args>
Step train_once(Model& model, Precision precision, Loss loss_of, const Args&... args) {
  UseExecutor use(*find_executor("jit"));
  optim::AdamW opt(model.parameters());
  auto step = compile(
      [&](auto... in) {
        nn::Training on;
        Tensor loss = loss_of(in...);
        opt.step(optim::clip_grad_norm(grad(loss, model.parameters()), 1.0).grads, 1e-3);
        return loss;
      },
      {.precision = precision});
  step(args...);
  return {json::parse(step.text("plan.json")), step.text("explain")};
}

Step gpt(Precision precision) {
  nn::Gpt model({.context = 128, .layers = 2});
  return train_once(
      model, precision, [&](Tensor x, Tensor y) { return nn::cross_entropy(model(x), y); }, zeros({4, 128}, i32),
      zeros({4, 128}, i32));
}
Step vit(Precision precision) {
  nn::Vit model({.layers = 2});
  return train_once(
      model, precision,
      [&](Tensor images, Tensor labels) {
        Tensor mirrored = uniform({images.size(0), 1, 1, 1}) < 0.5;
        images = where(mirrored, reverse(images, {3}), images);
        return nn::cross_entropy(model(images), labels, {.label_smoothing = 0.1});
      },
      zeros({16, 1, 28, 28}), zeros({16}, i32));
}
Step unet(Precision precision) {
  nn::Unet model;
  return train_once(
      model, precision,
      [&](Tensor x0) {
        Tensor t = uniform({x0.size(0)}), eps = normal(x0.shape());
        Tensor signal = reshape(cos(t * 1.5707963267948966), {x0.size(0), 1, 1, 1});
        return nn::mse(model(signal * x0 + sqrt(1.0 - square(signal)) * eps, t), eps);
      },
      zeros({8, 1, 28, 28}));
}

// `more`: launches beside those of f32.
void expect_narrow(const Step& mixed, const Step& plain, double share, int64_t more = 0) {
  EXPECT_THAT(mixed.casts(), ::testing::IsEmpty());
  EXPECT_LT(static_cast<double>(mixed.arena()), share * static_cast<double>(plain.arena()));
  EXPECT_LE(mixed.launches(), plain.launches() + more);
  EXPECT_THAT(mixed.explain, HasSubstr("precision bf16_mixed:"));
  EXPECT_THAT(mixed.explain, HasSubstr("a State is computed from it"));
}

TEST(MixedPrecision, no_kernel_of_the_gpt_only_rounds) { expect_narrow(gpt("bf16_mixed"), gpt("f32"), 0.8); }
// The gradient of the patches' bias no longer shares a kernel with the copy of the pixels' gradient.
TEST(MixedPrecision, no_kernel_of_the_vit_only_rounds) { expect_narrow(vit("bf16_mixed"), vit("f32"), 0.8, 2); }
TEST(MixedPrecision, no_kernel_of_the_unet_only_rounds) { expect_narrow(unet("bf16_mixed"), unet("f32"), 0.8); }

TEST(MixedPrecision, a_residual_stream_is_narrow_where_the_policy_says_so) {
  EXPECT_LT(gpt(precision::bf16_mixed({.residual = bf16})).arena(), gpt("bf16_mixed").arena());
}

// ---- tf32 ----

TEST(Tf32, is_f32_on_the_processor) {
  auto f = [](const std::vector<Tensor>& in) { return std::vector{nn::gelu(matmul(in[0], in[1]))}; };
  const std::vector<Tensor> arguments{draw({24, 40}, 1), draw({40, 32}, 2)};
  EXPECT_EQ(run("jit", f, arguments, "tf32")[0].to_vector<float>(),
            run("jit", f, arguments, "f32")[0].to_vector<float>());
}

TEST(Tf32, a_report_says_what_the_processor_multiplies) {
  const Step step = gpt("tf32");
  EXPECT_THAT(step.explain, HasSubstr("precision tf32:"));
  EXPECT_THAT(step.explain, ::testing::Not(HasSubstr(" tf32 ")));
  EXPECT_EQ(step.arena(), gpt("f32").arena());
}

// ---- training ----

// Losses of a GPT that learns to continue a text of few letters.
std::vector<double> learn(Precision precision, int steps) {
  UseExecutor use(*find_executor("jit"));
  seed(1);
  nn::Gpt model({.vocabulary = 32, .context = 64, .dim = 64, .layers = 2, .heads = 4});
  optim::AdamW opt(model.parameters());
  auto step = compile(
      [&](Tensor ids, Tensor next, Tensor lr) {
        nn::Training on;
        Tensor loss = nn::cross_entropy(model(ids), next);
        opt.step(optim::clip_grad_norm(grad(loss, model.parameters()), 1.0).grads, lr);
        return loss;
      },
      {.precision = precision});
  uint64_t state = 1;
  std::vector<double> losses;
  for (int k = 0; k < steps; ++k) {
    std::vector<int32_t> text(8 * 65);
    for (size_t i = 0; i < text.size(); ++i) {  // a letter follows from the one before it, but for one in eight
      state = state * 6364136223846793005u + 1442695040888963407u;
      const bool free = i == 0 || (state >> 33) % 8 == 0;
      text[i] = static_cast<int32_t>(free ? (state >> 40) % 32 : static_cast<uint64_t>(text[i - 1] * 5 + 3) % 32);
    }
    std::vector<int32_t> ids(8 * 64), next(8 * 64);
    for (size_t row = 0; row < 8; ++row)
      for (size_t i = 0; i < 64; ++i)
        ids[row * 64 + i] = text[row * 65 + i], next[row * 64 + i] = text[row * 65 + i + 1];
    losses.push_back(step(tensor(ids, {8, 64}), tensor(next, {8, 64}), 3e-3f).item<double>());
  }
  return losses;
}

TEST(MixedPrecision, training_learns_as_in_f32) {
  constexpr int steps = 120, window = 20;
  const std::vector<double> mixed = learn("bf16_mixed", steps), plain = learn("f32", steps);
  EXPECT_NE(mixed, plain);
  auto mean_at = [](const std::vector<double>& losses, int at) {
    double sum = 0;
    for (int k = at; k < at + window; ++k) sum += losses[static_cast<size_t>(k)];
    return sum / window;
  };
  for (int at = 0; at + window <= steps; at += window) {
    EXPECT_NEAR(mean_at(mixed, at), mean_at(plain, at), 0.03 * mean_at(plain, at)) << "from step " << at;
  }
  EXPECT_LT(mean_at(mixed, steps - window), 0.8 * mean_at(mixed, 0));
  EXPECT_EQ(mixed, learn("bf16_mixed", steps)) << "the same again";
}

}  // namespace
}  // namespace tessera
