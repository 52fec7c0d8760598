// Copies of operands before products of f32 by wgmma: each form written once while its tensor is unchanged, those of a moment
// by one launch, and no more memory than without.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <utility>

#include <tessera/codegen/cuda/executor/run_program.h>
#include <tessera/codegen/cuda/runtime/device.h>
#include <tessera/core/compile.h>
#include <tessera/core/ops.h>
#include <tessera/core/state.h>

#include "tests/codegen/cuda_host/cuda_executor.h"

namespace tessera::testing {
namespace {

using codegen::Plan;
using codegen::PlanLaunch;
using ::testing::ElementsAre;

// The executor "cuda" with the kernels of wgmma, however small products are.
class TilesExecutor : public Executor {
 public:
  std::string_view name() const override { return "cuda, tiles"; }
  std::shared_ptr<Executable> compile(const Program& program) override {
    cuda::CompiledProgram made = cuda::compile_program(program, {cuda::use_device().architecture, /*tile_schedule=*/0});
    plan = made.lowered.plan;
    return std::make_shared<Running>(std::move(made));
  }

  // Of the program that was compiled last.
  std::vector<PlanLaunch> copy_launches() const {
    std::vector<PlanLaunch> found;
    for (const PlanLaunch& launch : plan.launches)
      if (launch.kernel >= 0 && plan.kernels[static_cast<size_t>(launch.kernel)].kind == "operand")
        found.push_back(launch);
    return found;
  }

  Plan plan;

 private:
  class Running : public Executable {
   public:
    explicit Running(cuda::CompiledProgram program) : runner_(std::move(program)) {}
    std::vector<BufferPtr> run(const Program& recorded, std::vector<BufferPtr>& arguments) override {
      return runner_.run(recorded, arguments);
    }

   private:
    cuda::ProgramRunner runner_;
  };
};

// How many tensors a launch reads, and how many forms of them it writes.
using Writes = std::pair<int, int>;
std::vector<Writes> writes(const std::vector<PlanLaunch>& copies) {
  std::vector<Writes> found;
  for (const PlanLaunch& copy : copies)
    found.push_back({copy.reads, static_cast<int>(copy.values.size()) - copy.reads});
  return found;
}

class CudaCopies : public CudaExecutor {
 protected:
  void SetUp() override {
    CudaExecutor::SetUp();
    if (!IsSkipped() && cuda::use_device().architecture != "sm_90a") GTEST_SKIP() << "the device is no Hopper";
  }

  static Tensor waves(float step, int64_t rows, int64_t columns) {
    std::vector<float> data(static_cast<size_t>(rows * columns));
    for (size_t k = 0; k < data.size(); ++k) data[k] = std::sin(step * static_cast<float>(k));
    return tensor(data, {rows, columns});
  }
  static bool same_bits(const Tensor& a, const Tensor& b) {
    return std::memcmp(a.buffer()->read(), b.buffer()->read(), a.buffer()->bytes()) == 0;
  }

  TilesExecutor tiles;
  UseExecutor use{tiles};
};

Tensor product(const Tensor& x, const Tensor& weight) { return einsum("mk,nk->mn", x, weight); }
Tensor data_gradient(const Tensor& dy, const Tensor& weight) { return einsum("mn,nk->mk", dy, weight); }
Tensor next(const Tensor& weight, const Tensor& dy, const Tensor& x) {
  return weight - 0.01 * einsum("mn,mk->nk", dy, x);
}

// What takes more memory than all copies at another moment.
Tensor large_for_a_moment(const Tensor& x) { return max(cumsum(cumsum(broadcast_to(x, {64, 40, 72}), 0), 2)); }

// A step that uses its weight again when it has assigned it, with `room` for copies or without.
class CudaCopiesOfStep : public CudaCopies, public ::testing::WithParamInterface<bool> {};

TEST_P(CudaCopiesOfStep, leave_the_bits_that_products_have_alone) {
  const bool has_room = GetParam();
  const Tensor x = waves(0.01f, 40, 72), dy = waves(0.02f, 40, 66);
  Tensor now = waves(0.03f, 66, 72);
  State weight("weight", now);
  auto step = compile([&](Tensor in, Tensor cotangent) {
    const Tensor before = weight.value();
    weight.assign(next(before, cotangent, in));
    std::vector results{product(in, before), data_gradient(cotangent, before), product(in, weight.value())};
    if (has_room) results.push_back(large_for_a_moment(in));
    return results;
  });
  auto product_alone = compile(product);
  auto data_gradient_alone = compile(data_gradient);
  auto next_alone = compile(next);
  for (int k = 0; k < 4; ++k) {  // launch by launch, then a graph
    const std::vector<Tensor> found = step(x, dy);
    if (k == 0) {
      // The rests of x and of the weight; of dy, whose lines are copied too, and the weight turned; dy and x turned; x and the
      // new weight. Or x, dy and the weight at once, then the new weight.
      if (has_room) EXPECT_THAT(writes(tiles.copy_launches()), ElementsAre(Writes{3, 10}, Writes{1, 1}));
      else
        EXPECT_THAT(writes(tiles.copy_launches()), ElementsAre(Writes{2, 2}, Writes{2, 4}, Writes{2, 4}, Writes{2, 2}));
    }
    const Tensor before = std::exchange(now, next_alone(now, dy, x));
    const Tensor alone[] = {product_alone(x, before), data_gradient_alone(dy, before), product_alone(x, now)};
    for (size_t i = 0; i < std::size(alone); ++i) EXPECT_TRUE(same_bits(found[i], alone[i])) << k << ' ' << i;
  }
}

INSTANTIATE_TEST_SUITE_P(memory, CudaCopiesOfStep, ::testing::Bool(),
                         [](const auto& one) { return one.param ? "is_there" : "is_short"; });

// What is written in place is the same value of the plan before and after. x is not copied again.
TEST_F(CudaCopies, are_made_again_of_what_was_written_in_place) {
  auto both = [](const Tensor& x, const Tensor& weight, const Tensor& rows) {
    const Tensor doubled = weight * 2.0, zero = zeros({}, i32);
    const Tensor first = product(x, doubled);
    return std::vector{first, product(x, dynamic_update_slice(doubled, rows, {zero, zero}))};
  };
  const Tensor x = waves(0.01f, 40, 72), weight = waves(0.03f, 66, 72), rows = waves(0.04f, 5, 72);
  auto step = compile(both);
  auto product_alone = compile(product);
  for (int k = 0; k < 3; ++k) {
    const std::vector<Tensor> found = step(x, weight, rows);
    if (k == 0) {
      EXPECT_THAT(writes(tiles.copy_launches()), ElementsAre(Writes{2, 2}, Writes{1, 1}));
      EXPECT_EQ(tiles.copy_launches().front().values[1], tiles.copy_launches().back().values[0]);
    }
    const Tensor doubled = (weight * 2.0).eval(), changed = concat({rows, slice(doubled, 0, {5, 66})}, 0).eval();
    EXPECT_TRUE(same_bits(found[0], product_alone(x, doubled))) << k;
    EXPECT_TRUE(same_bits(found[1], product_alone(x, changed))) << k;
  }
}

}  // namespace
}  // namespace tessera::testing
