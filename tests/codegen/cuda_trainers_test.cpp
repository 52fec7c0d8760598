// The compiled steps of the three trainers lower to CUDA C++ without a card, and NVRTC takes their kernels as scheduled.
// Nothing runs: results are zeros.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include <tessera/codegen/cuda/executor/compile_program.h>
#include <tessera/codegen/cuda/runtime/compiler.h>
#include <tessera/core/executor.h>
#include <tessera/nn/models/gpt.h>
#include <tessera/nn/models/unet.h>
#include <tessera/nn/models/vit.h>
#include <tessera/tessera.h>

namespace tessera {
namespace {

class Zeros : public Executable {
 public:
  explicit Zeros(const cuda::LoweredProgram& lowered) {
    for (int value : lowered.plan.results)
      bytes_.push_back(static_cast<size_t>(lowered.plan.values[static_cast<size_t>(value)].bytes));
  }
  std::vector<BufferPtr> run(const Program&, std::vector<BufferPtr>&) override {
    std::vector<BufferPtr> results;
    for (size_t bytes : bytes_) {
      results.push_back(std::make_shared<Buffer>(bytes));
      std::memset(results.back()->data(), 0, bytes);
    }
    return results;
  }

 private:
  std::vector<size_t> bytes_;
};

class Lowers : public Executor {
 public:
  std::string_view name() const override { return "lowers for CUDA"; }
  std::shared_ptr<Executable> compile(const Program& program) override {
    cuda::LoweredProgram lowered = cuda::lower_program(program, {"sm_90a"});
    auto zeros = std::make_shared<Zeros>(lowered);
    if (lowered.plan.launches.size() > step.plan.launches.size()) step = std::move(lowered);
    return zeros;
  }
  cuda::LoweredProgram step;  // the longest: beside it there are first values and rounded copies of weights
};

class CudaTrainers : public ::testing::TestWithParam<const char*> {
 protected:
  Lowers lowers_;
  UseExecutor use_{lowers_};

  int count(const std::string& kind) const {
    int launches = 0;
    for (const codegen::PlanLaunch& launch : lowers_.step.plan.launches)
      launches += launch.kernel >= 0 && lowers_.step.plan.kernels[static_cast<size_t>(launch.kernel)].kind == kind;
    return launches;
  }

  void compile_all() {
    for (const codegen::PlanLaunch& launch : lowers_.step.plan.launches)
      EXPECT_NE(launch.moves, "rounds") << lowers_.step.kernels[static_cast<size_t>(launch.kernel)].text;
    try {
      cuda::compiler_version();
    } catch (const DeviceError&) {
      GTEST_SKIP() << "no NVRTC on this host";
    }
    for (cuda::KernelSource& kernel : lowers_.step.kernels) {
      const cuda::Cubin cubin = cuda::compile_to_registers(kernel, kernel.name + ".cu", "sm_90a");
      EXPECT_THAT(cubin.facts.refused, ::testing::IsEmpty()) << kernel.text;
    }
  }
};

TEST_P(CudaTrainers, gpt) {
  nn::Gpt model;
  optim::AdamW opt(model.parameters(), {.beta2 = 0.95, .weight_decay = 0.03});
  auto step = compile(
      [&](Tensor x, Tensor y, Tensor lr) {
        nn::Training on;
        Tensor loss = nn::cross_entropy(model(x), y);
        opt.step(optim::clip_grad_norm(grad(loss, model.parameters()), 1.0).grads, lr);
        return loss;
      },
      {.precision = GetParam()});
  const Shape shape{16, model.options.context};
  step(zeros(shape, i32), zeros(shape, i32), 1e-3f);
  // Six layers with four linear layers each and a head, thrice for both gradients. Attention is a cascade, two more in its
  // gradients.
  EXPECT_GE(count("contract"), 6 * 3 * 4 + 3);
  EXPECT_EQ(count("cascade"), 6 * 3);
  compile_all();
}

TEST_P(CudaTrainers, vit) {
  nn::Vit model;
  optim::AdamW opt(model.parameters(), {.weight_decay = 0.05});
  auto step = compile(
      [&](Tensor images, Tensor labels, Tensor lr) {
        nn::Training on;
        Tensor mirrored = uniform({images.size(0), 1, 1, 1}) < 0.5;
        images = where(mirrored, reverse(images, {3}), images);
        Tensor loss = nn::cross_entropy(model(images), labels, {.label_smoothing = 0.1});
        opt.step(optim::clip_grad_norm(grad(loss, model.parameters()), 1.0).grads, lr);
        return loss;
      },
      {.precision = GetParam()});
  step(zeros({128, 1, 28, 28}), zeros({128}, i32), 1e-3f);
  EXPECT_GT(count("contract"), 50);
  compile_all();
}

TEST_P(CudaTrainers, ddpm) {
  nn::Unet model;
  optim::AdamW opt(model.parameters());
  auto step = compile(
      [&](Tensor x0, Tensor lr) {
        nn::Training on;
        Tensor t = uniform({x0.size(0)}), eps = normal(x0.shape());
        Tensor signal = reshape(cos(t * 1.5707963267948966), {x0.size(0), 1, 1, 1});
        Tensor loss = nn::mse(model(signal * x0 + sqrt(1.0 - square(signal)) * eps, t), eps);
        opt.step(optim::clip_grad_norm(grad(loss, model.parameters()), 1.0).grads, lr);
        return loss;
      },
      {.precision = GetParam()});
  step(zeros({64, 1, 28, 28}), 1e-3f);
  EXPECT_GT(count("contract"), 50);
  compile_all();
}

INSTANTIATE_TEST_SUITE_P(Precision, CudaTrainers, ::testing::Values("f32", "tf32", "bf16_mixed"));

}  // namespace
}  // namespace tessera
