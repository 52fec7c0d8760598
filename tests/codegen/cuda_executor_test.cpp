// The CUDA executor: values that stay on the device, graphs, what is told when.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <thread>

#include <fmt/format.h>

#include <tessera/autograd/grad.h>
#include <tessera/codegen/cpu/object_cache.h>
#include <tessera/codegen/cuda/executor/compile_program.h>
#include <tessera/codegen/cuda/runtime/device.h>
#include <tessera/codegen/plan/explain.h>
#include <tessera/core/compile.h>
#include <tessera/core/error.h>
#include <tessera/core/executor.h>
#include <tessera/core/ops.h>
#include <tessera/core/state.h>
#include <tessera/nn/optim/adam.h>

#include "tests/codegen/cuda_host/cuda_executor.h"
#include "tests/codegen/cuda_rows/host_run.h"

namespace tessera::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What a step must not move: a State is copied to the device once and read when somebody reads it.
TEST_F(CudaExecutor, a_state_stays_on_the_device) {
  State weight("weight", ramp(1000));
  auto step = compile([&](Tensor x) { weight.assign(weight.value() * 0.5 + x); });
  step(ramp(1000));
  step(ramp(1000));
  cuda::wait_for_device();
  const HostDriver before = device;
  for (int k = 0; k < 5; ++k) step(ramp(1000));
  cuda::wait_for_device();
  if (counts) {
    EXPECT_EQ(device.bytes_in - before.bytes_in, 5 * 4000u);  // x alone
    EXPECT_EQ(device.bytes_out, before.bytes_out);
    EXPECT_EQ(device.graphs - before.graphs, 5);
    EXPECT_EQ(device.launches, before.launches);
    EXPECT_EQ(device.graphs_made, before.graphs_made);
  }
  EXPECT_FLOAT_EQ(floats(weight)[8], 16 - 8 / 128.f);
  if (counts) {
    EXPECT_EQ(device.bytes_out - before.bytes_out, 4000u);
  }
  floats(weight);
  if (counts) {
    EXPECT_EQ(device.bytes_out - before.bytes_out, 4000u);  // the host has its copy now
  }
}

// Reading on the host does not move a State: the next step finds it where it was.
TEST_F(CudaExecutor, reading_leaves_a_state_where_it_is) {
  State weight("weight", ramp(300));
  auto step = compile([&](Tensor x) { weight.assign(weight.value() + x); });
  step(1.f);
  EXPECT_EQ(floats(weight)[3], 4);
  EXPECT_THAT(str(weight.value()), HasSubstr("300"));
  const size_t before = device.bytes_in;
  step(1.f);
  cuda::wait_for_device();
  if (counts) {
    EXPECT_EQ(device.bytes_in - before, 16u);  // a number, in what is brought at once
  }
  EXPECT_EQ(floats(weight)[3], 5);
}

TEST_F(CudaExecutor, two_programs_and_an_eager_op_share_a_state) {
  auto run = [](Executor& executor) {
    UseExecutor use(executor);
    State a("a", ramp(64)), b("b", ramp(64, 5));
    auto mix = compile([&](Tensor x) {
      a.assign(a.value() + b.value() * x);
      return sum(a.value());
    });
    auto swap = compile([&] {
      Tensor old = a.value();
      a.assign(b.value());
      b.assign(old * 0.5);
      return max(old);
    });
    std::vector<float> seen;
    for (int k = 0; k < 6; ++k) {
      Tensor total = mix(static_cast<float>(k) * 0.25f), eager = a.value() * 2 + b.value();
      Tensor highest = swap();
      if (k % 2) seen.push_back(total.item<float>());
      for (float x : floats(eager)) seen.push_back(x);
      seen.push_back(highest.item<float>());
    }
    for (float x : floats(a)) seen.push_back(x);
    for (float x : floats(b)) seen.push_back(x);
    return seen;
  };
  EXPECT_EQ(run(*find_executor("cuda")), run(reference_executor()));
}

TEST_F(CudaExecutor, trains_as_the_reference_does) {
  auto train = [](Executor& executor) {
    UseExecutor use(executor);
    State weight("weight", ramp(40) * 0.01), bias("bias", ramp(1));
    optim::AdamW opt({&weight, &bias}, {.weight_decay = 0.1});
    auto error = [&](Tensor x, Tensor y) { return mean(square(x * weight.value() + bias.value() - y)); };
    auto step = compile([&](Tensor x, Tensor y, Tensor lr) {
      Tensor loss = error(x, y);
      opt.step(grad(loss, {weight.value(), bias.value()}), lr);
      return loss;
    });
    auto evaluate = compile([&](Tensor x, Tensor y) { return error(x, y); });
    std::vector<float> seen;
    for (int k = 0; k < 8; ++k) {
      Tensor x = reshape(ramp(80, static_cast<float>(k)), {2, 40}) * 0.1, y = x * 0.7 + 0.2;
      seen.push_back(step(x, y, 0.05f / static_cast<float>(k + 1)).item<float>());
      if (k % 3 == 2) seen.push_back(evaluate(x, y).item<float>());
    }
    for (float w : floats(weight)) seen.push_back(w);
    return seen;
  };
  const std::vector<float> ours = train(*find_executor("cuda")), expected = train(reference_executor());
  ASSERT_EQ(ours.size(), expected.size());
  for (size_t k = 0; k < ours.size(); ++k) EXPECT_NEAR(ours[k], expected[k], 2e-5 * (1 + std::abs(expected[k]))) << k;
}

// The optimizer's step is one launch for all parameters of whatever names and sizes, and each tensor gets its own.
TEST_F(CudaExecutor, updates_of_all_parameters_are_one_launch) {
  auto train = [](Executor& executor, size_t* launches) {
    UseExecutor use(executor);
    std::vector<std::unique_ptr<State>> parameters;
    std::vector<State*> all;
    for (int64_t size : {3000, 8, 1024, 100000, 3000, 4, 640}) {
      const std::string name = fmt::format("layers.{}.{}", all.size(), size > 2000 ? "up.weight" : "norm.bias");
      parameters.push_back(std::make_unique<State>(name, ramp(size, static_cast<float>(all.size()))));
      all.push_back(parameters.back().get());
    }
    optim::AdamW opt(all, {.weight_decay = 0.1});
    auto step = compile([&](Tensor x) {
      std::vector<Tensor> gradients;
      for (size_t k = 0; k < all.size(); ++k) gradients.push_back(all[k]->value() * x);
      opt.step(gradients, 0.1);
    });
    for (int k = 0; k < 3; ++k) step(0.5f * static_cast<float>(k));
    if (launches) *launches = std::ranges::count(step.text("kernels"), '\n');
    std::vector<float> seen;
    for (State* parameter : all)
      for (float x : floats(*parameter)) seen.push_back(x);
    return seen;
  };
  size_t lines = 0;
  const std::vector<float> ours = train(*find_executor("cuda"), &lines),
                           expected = train(reference_executor(), nullptr);
  EXPECT_EQ(lines, 4u);  // two of them are a head, one is what the updates share
  ASSERT_EQ(ours.size(), expected.size());
  for (size_t k = 0; k < ours.size(); ++k) ASSERT_NEAR(ours[k], expected[k], 2e-5 * (1 + std::abs(expected[k]))) << k;
}

TEST_F(CudaExecutor, a_graph_gives_the_bits_of_single_launches) {
  auto f = compile([](Tensor x) {
    Tensor centred = x - mean(x);
    return std::vector<Tensor>{softmax(x * 1.7, 1), sum(exp(x), {0}), cumsum(cumsum(centred, 1) * centred, 0)};
  });
  Tensor x = reshape(ramp(6 * 130), {6, 130}) * 0.01, other = (x * 0.5).eval();
  const HostDriver before = device;
  std::vector<Tensor> first = f(x);
  if (counts) {
    EXPECT_GT(device.launches, before.launches);
    EXPECT_EQ(device.graphs, before.graphs);
  }
  for (int k = 0; k < 3; ++k) {
    f(other);  // so that nothing right is left in the arena
    std::vector<Tensor> again = f(x);
    for (size_t i = 0; i < first.size(); ++i)
      EXPECT_EQ(std::memcmp(first[i].buffer()->read(), again[i].buffer()->read(), first[i].buffer()->bytes()), 0);
  }
  if (counts) {
    EXPECT_EQ(device.graphs - before.graphs, 6);
  }
}

// Whoever holds an old value keeps it; the new one is elsewhere, and the graph has to follow.
TEST_F(CudaExecutor, a_value_that_is_held_is_not_overwritten) {
  State weight("weight", ramp(500));
  auto step = compile([&] { weight.assign(weight.value() + 1); });
  std::vector<Tensor> history;
  for (int k = 0; k < 6; ++k) {
    if (k != 3) history.push_back(weight.value());  // once donated in between
    step();
  }
  for (size_t k = 0; k < history.size(); ++k)
    EXPECT_EQ(floats(history[k])[7], 7 + static_cast<float>(k) + (k >= 3)) << k;
  EXPECT_EQ(floats(weight)[7], 13);
  if (counts) {
    EXPECT_GT(device.steps_changed, 0);
  }
}

// Programs share one arena. When a larger one comes, it lies elsewhere and graphs that are made already follow.
TEST_F(CudaExecutor, the_arena_moves) {
  auto program = [](int64_t rows) {
    return compile([rows](Tensor x) {
      Tensor wide = broadcast_to(x, {rows, 64});
      Tensor parts = softmax(wide * iota({rows, 64}, 1, f32), 1);
      return sum(parts / (1 + max(parts, {0})), {1});
    });
  };
  auto small = program(3), large = program(8'000);
  const std::vector<float> first = floats(small(ramp(64)));
  EXPECT_EQ(floats(small(ramp(64))), first);
  auto steps_changed = [&] {
    const int before = device.steps_changed;
    EXPECT_EQ(floats(small(ramp(64))), first);
    return device.steps_changed - before;
  };
  const int by_result = steps_changed();
  large(ramp(64));
  const int by_arena = steps_changed();
  if (counts) {
    EXPECT_GT(by_arena, by_result);
  }
}

// One text serves both, and one launch: the second has twice the blocks.
TEST_F(CudaExecutor, tensors_of_other_extents_share_a_launch) {
  auto f = compile([] { return std::vector<Tensor>{zeros({2048}, f32), zeros({4096}, f32), zeros({2048}, f32)}; });
  for (const Tensor& x : f())
    for (float value : floats(x)) ASSERT_EQ(value, 0);
  EXPECT_THAT(f.text("kernels"), HasSubstr("1 launches of 1 kernels")) << f.text("kernels");
}

TEST_F(CudaExecutor, what_the_host_writes_reaches_the_device) {
  Tensor x = ramp(20);
  auto f = compile([](Tensor v) { return v * 2; });
  for (int k = 0; k < 3; ++k) EXPECT_EQ(floats(f(x))[4], 8);
  x.buffer()->as<float>()[4] = 50;
  EXPECT_EQ(floats(f(x))[4], 100);
}

// A batch passes through; what comes again gets a place of its own, once.
TEST_F(CudaExecutor, an_argument_that_comes_again_stays) {
  Tensor x = ramp(250);
  auto f = compile([](Tensor v) { return v + 3; });
  f(x);
  f(x);
  cuda::wait_for_device();
  const HostDriver before = device;
  f(x);
  EXPECT_EQ(floats(f(x))[9], 12);
  if (counts) {
    EXPECT_EQ(device.bytes_in, before.bytes_in);
  }
  const int changed = device.steps_changed;
  std::vector<Tensor> kept;
  for (int k = 0; k < 4; ++k) kept.push_back(ramp(250, static_cast<float>(k)));
  f(kept[0]);
  for (Tensor& batch : kept) EXPECT_EQ(floats(f(batch))[9], floats(batch)[9] + 3);
  if (counts) {
    EXPECT_LE(device.steps_changed, changed + 6);
  }
}

// The driver takes long to start a graph of many branches: what could all run at once stands in a few lines.
TEST_F(CudaExecutor, a_graph_has_few_branches) {
  std::vector<std::unique_ptr<State>> states;
  for (int k = 0; k < 12; ++k) states.push_back(std::make_unique<State>("s", ramp(50000, static_cast<float>(k))));
  auto step = compile([&](Tensor x) {
    // Each from an element of its own, so that they are no launch for several tensors.
    for (size_t k = 0; k < states.size(); ++k) states[k]->assign(states[k]->value() + x * static_cast<double>(k + 1));
  });
  for (int k = 0; k < 3; ++k) step(1.f);
  if (counts) {
    EXPECT_GT(device.branches, 1);
    EXPECT_LE(device.branches, 4);
  }
  for (int k = 0; k < 12; ++k) EXPECT_EQ(floats(*states[static_cast<size_t>(k)])[7], 4 * static_cast<float>(k) + 10);
}

// A sum over all rows of normalized ones: in so many parts that a kernel of its own adds them up.
constexpr int64_t many_rows = 320, many_columns = 2048;
Tensor sum_of_normalized(const Tensor& x) { return sum(x * rsqrt(mean(square(x), {1}, true) + 1.0), {0}); }
Tensor waves(float step) {
  std::vector<float> data(static_cast<size_t>(many_rows * many_columns));
  for (size_t k = 0; k < data.size(); ++k) data[k] = std::sin(step * static_cast<float>(k));
  return tensor(data, {many_rows, many_columns});
}

// That kernel begins while the one before it ends, in the stream and in a graph.
TEST_F(CudaExecutor, what_adds_up_parts_begins_early) {
  auto step = compile(sum_of_normalized);
  for (int k = 0; k < 4; ++k) {  // launch by launch, then a graph; its results lie elsewhere each time
    const Tensor x = waves(0.01f * static_cast<float>(k + 1));
    const int before = device.early;
    const std::vector<float> found = floats(step(x));
    if (counts) {
      EXPECT_EQ(device.early - before, k < 2 ? 1 : 0);
    }
    UseExecutor use(reference_executor());
    const std::vector<float> expected = floats(sum_of_normalized(x));
    for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(found[i], expected[i], 2e-4) << k << ' ' << i;
  }
}

// A product of few rows does so too: its operands are what the launch before it writes.
constexpr int64_t few_rows = 64;
Tensor product_of_few_rows(const Tensor& x) {
  const Tensor twice = cast(2.0 * x, bf16);
  return cast(einsum("mk,nk->mn", slice(twice, 0, {0, few_rows}), slice(twice, 0, {few_rows, many_rows})), f32);
}
TEST_F(CudaExecutor, a_product_of_few_rows_begins_early) {
  auto step = compile(product_of_few_rows);
  for (int k = 0; k < 4; ++k) {
    const Tensor x = waves(0.01f * static_cast<float>(k + 1));
    const int before = device.early;
    const std::vector<float> found = floats(step(x));
    if (counts) {
      EXPECT_EQ(device.early - before, k < 2 ? 1 : 0);
    }
    UseExecutor use(reference_executor());
    const std::vector<float> expected = floats(product_of_few_rows(x));
    for (size_t i = 0; i < expected.size(); ++i)
      ASSERT_NEAR(found[i], expected[i], 1 + 0x1p-7 * std::abs(expected[i])) << k << ' ' << i;
  }
}

// Of so many columns that one block does not add up the parts, and all of them equal.
TEST_F(CudaExecutor, a_sum_of_many_parts_is_written_to_each_column) {
  constexpr int64_t columns = (1 << 20) + 33;
  auto sums = compile([](Tensor x) { return sum(-broadcast_to(x, {3, columns}), {0}); });
  const std::vector<float> found = floats(sums(tensor(std::vector<float>{1, 2, 4}, {3, 1})));
  EXPECT_EQ(std::count(found.begin(), found.end(), -7.f), columns);
}

// 1 + tanh and 1 − tanh² keep their digits where tanh is nearly ±1, and what is no number stays none.
TEST_F(CudaExecutor, derivatives_of_tanh_are_exact_where_they_are_small) {
  std::vector<float> at{0, INFINITY, -INFINITY, NAN};
  for (float z = -42; z <= 42; z += 0.037f) at.push_back(z);
  const Tensor z = tensor(at, {static_cast<int64_t>(at.size())});
  auto both = compile([](Tensor x) { return std::vector{1 - tanh(x) * tanh(x), 1 + tanh(x)}; });
  const std::vector<Tensor> found = both(z);
  const std::vector<float> slope = floats(found[0]), sum = floats(found[1]);
  EXPECT_TRUE(std::isnan(slope[3]) && std::isnan(sum[3]));
  for (size_t k = 0; k < at.size(); ++k) {
    if (k == 3) continue;
    const double x = at[k], s = 1 / (1 + std::exp(-2 * x)), rest = 1 / (1 + std::exp(2 * x));
    // s within 3 ulp and |2z| units, twice, and the power of 2.
    const double relative = (20 + (std::isinf(x) ? 0 : 6 * std::fabs(x))) * 0x1p-24;
    EXPECT_NEAR(slope[k], 4 * s * rest, 4 * s * rest * relative + 1e-37) << x;
    EXPECT_NEAR(sum[k], 2 * s, 2 * s * relative + 1e-37) << x;
  }
}

TEST_F(CudaExecutor, a_call_has_taken_its_arguments_when_it_returns) {
  Tensor x = ramp(20);
  auto f = compile([](Tensor v) { return v * 2; });
  Tensor y = f(x);
  x.buffer()->as<float>()[4] = 50;
  EXPECT_EQ(floats(y)[4], 8);
}

TEST_F(CudaExecutor, eight_runs_are_under_way_and_a_read_waits_for_its_own) {
  State weight("weight", ramp(50));
  auto step = compile([&](Tensor x) {
    weight.assign(weight.value() + x);
    return sum(weight.value());
  });
  step(0.f).item<float>();
  const HostDriver before = device;
  std::vector<Tensor> sums;
  for (int k = 1; k <= 8; ++k) sums.push_back(step(1.f));
  if (counts) {
    EXPECT_EQ(device.waits, before.waits);
    EXPECT_EQ(device.graphs_done, before.graphs_done);
  }
  sums.push_back(step(1.f));
  if (counts) {
    EXPECT_EQ(device.graphs_done, before.graphs_done + 1);  // the one whose slot is needed
  }
  EXPECT_EQ(sums[2].item<float>(), 1225 + 3 * 50);
  if (counts) {
    EXPECT_EQ(device.graphs_done, before.graphs_done + 3);
  }
  EXPECT_EQ(sums[8].item<float>(), 1225 + 9 * 50);
}

// More than there are slots, each with other values, and none read before the last.
TEST_F(CudaExecutor, each_run_has_what_was_its_own) {
  auto f = compile([](Tensor x, Tensor y) { return std::vector{x * 2.0 + y, sum(x)}; });
  constexpr int runs = 40;
  std::vector<std::vector<Tensor>> results;
  for (int k = 0; k < runs; ++k) results.push_back(f(ramp(300, static_cast<float>(k)), static_cast<float>(k)));
  for (int k = 0; k < runs; ++k) {
    EXPECT_EQ(floats(results[static_cast<size_t>(k)][0])[7], static_cast<float>(3 * k + 14));
    EXPECT_EQ(results[static_cast<size_t>(k)][1].item<float>(), static_cast<float>(300 * k + 150 * 299));
  }
}

// What is too much for a slot goes by memory that the run keeps.
TEST_F(CudaExecutor, runs_bring_little_and_much_in_turns) {
  auto f = compile([](Tensor x, Tensor y) { return sum(x) + y; });
  auto g = compile([](Tensor x, Tensor y) { return max(x) + max(y); });
  std::vector<Tensor> results;
  for (int k = 0; k < 30; ++k) {
    results.push_back(f(ramp(1000, static_cast<float>(k)), 0.5f));
    results.push_back(g(ramp(140'000, static_cast<float>(k)), ramp(1000)));
  }
  for (int k = 0; k < 30; ++k) {
    const auto at = static_cast<size_t>(2 * k);
    EXPECT_EQ(results[at].item<float>(), static_cast<float>(1000 * k) + 499500.5f);
    EXPECT_EQ(results[at + 1].item<float>(), static_cast<float>(k + 139'999 + 999));
  }
}

TEST_F(CudaExecutor, a_program_ends_while_its_runs_are_under_way) {
  std::vector<Tensor> results;
  std::vector<NodePtr> captured;
  {
    const Tensor x = ramp(100);
    const Program program = flatten({}, {sum(x * 3.0 + 0.25).node()}, false, &captured);
    const std::shared_ptr<Executable> executable = find_executor("cuda")->compile(program);
    for (int k = 0; k < 5; ++k) {
      std::vector<BufferPtr> arguments{ramp(100, static_cast<float>(k)).buffer()};
      results.push_back(tensor_from(executable->run(program, arguments)[0], f32, {}));
    }
  }
  for (int k = 0; k < 5; ++k)
    EXPECT_EQ(results[static_cast<size_t>(k)].item<float>(), static_cast<float>(3 * (4950 + 100 * k) + 25));
}

TEST_F(CudaExecutor, threads_run_programs_at_the_same_time) {
  std::vector<std::thread> team;
  std::vector<int> wrong(4, 0);
  for (size_t t = 0; t < wrong.size(); ++t)
    team.emplace_back([&, t] {
      UseExecutor use(*find_executor("cuda"));
      auto mine = compile([](Tensor x) { return sum(x) * 3.0; });  // equal programs of all threads are one executable
      std::vector<Tensor> results;
      for (int k = 0; k < 25; ++k) results.push_back(mine(static_cast<float>(k) + 100.f * static_cast<float>(t)));
      for (int k = 0; k < 25; ++k)
        wrong[t] += results[static_cast<size_t>(k)].item<float>() !=
                    3 * (static_cast<float>(k) + 100.f * static_cast<float>(t));
    });
  for (std::thread& thread : team) thread.join();
  for (int count : wrong) EXPECT_EQ(count, 0);
}

// ---- indices ----

struct Rows {
  State table{"table", reshape(ramp(40), {8, 5})}, seen{"seen", ramp(1)};
  Compiled<std::function<Tensor(Tensor)>> take{[this](Tensor index) {
                                                 Tensor rows = gather(table.value(), index, 0);
                                                 seen.assign(seen.value() + sum(rows));
                                                 return rows;
                                               },
                                               {.name = "take"},
                                               Loc::here()};
  static Tensor index(int32_t i) { return tensor<int32_t>({1, i}); }
};
constexpr int gather_line = __LINE__ - 8;

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const ValueError& error) {
    return error.what();
  }
  return "none";
}

void expect_index_error(const std::string& text) {
  EXPECT_THAT(text, HasSubstr("gather index 8 is out of range for dim 0 of extent 8"));
  EXPECT_THAT(text, HasSubstr("cuda_executor_test.cpp:" + std::to_string(gather_line)));
}

TEST_F(CudaExecutor, an_index_outside_is_told_to_who_reads) {
  Rows rows;
  EXPECT_EQ(floats(rows.take(Rows::index(2)))[5], 10);
  Tensor wrong = rows.take(Rows::index(8));
  for (int k = 0; k < 2; ++k) expect_index_error(error_of([&] { floats(wrong); }));
  expect_index_error(error_of([&] { floats(rows.seen); }));          // what the run assigned is no value
  expect_index_error(error_of([&] { rows.take(Rows::index(1)); }));  // and no argument
  expect_index_error(error_of([&] { floats(rows.seen.value() * 2); }));
  rows.seen.assign(ramp(1));
  EXPECT_EQ(floats(rows.take(Rows::index(3)))[5], 15);
}

TEST_F(CudaExecutor, an_index_outside_is_told_eight_runs_later_if_nobody_reads) {
  Rows rows;
  Tensor good = rows.take(Rows::index(2));
  rows.take(Rows::index(8));
  rows.seen.assign(ramp(1));
  int runs = 0;
  const std::string text = error_of([&] {
    for (; runs < 20; ++runs) rows.take(Rows::index(1));
  });
  expect_index_error(text);
  EXPECT_EQ(runs, 7);  // the eighth behind it has told
  EXPECT_EQ(floats(good)[5], 10);
  EXPECT_EQ(floats(rows.take(Rows::index(1)))[5], 5);  // told once
}

// Another thread has the device run, and stops it where the host sees that the run is done: all that it leaves is there.
TEST_F(CudaExecutor, a_run_that_is_done_has_left_its_words) {
  if (!counts) GTEST_SKIP() << "a card does not stop";
  Rows rows;
  for (int k = 0; k < 3; ++k) rows.take(Rows::index(2));
  floats(rows.seen);
  Tensor wrong = rows.take(Rows::index(8));
  std::promise<void> is_published, is_read;
  std::atomic<bool> is_first = true;
  when_published([&] {
    if (!is_first.exchange(false)) return;
    is_published.set_value();
    is_read.get_future().wait_for(std::chrono::seconds(1));  // who reads what is not there waits for the device here
  });
  std::thread other([] { cuda::wait_for_device(); });
  is_published.get_future().wait();
  const std::string text = error_of([&] { floats(wrong); });
  is_read.set_value();
  other.join();
  when_published({});
  expect_index_error(text);
}

// ---- memory ----

TEST_F(CudaExecutor, out_of_memory_names_the_largest_tensors) {
  std::vector<std::unique_ptr<State>> states;
  for (int k = 1; k <= 7; ++k)
    states.push_back(std::make_unique<State>("layers." + std::to_string(k), ramp(100'000 * k)));
  auto total = compile([&] {
    Tensor all = scalar(0.0, f32);
    for (auto& state : states) all = all + sum(state->value());
    return all;
  });
  for (int k = 0; k < 3; ++k) total();
  // Ours gets as small as what lies in it, but for 3 MB; of a card something else holds all but 2 GB meanwhile.
  const int64_t wanted = counts ? 2'000'000 : 750'000'000;
  std::optional<cuda::Buffer> held;
  cuda::PoolHandle* pool = nullptr;
  size_t left = 0, all = 0;
  cuda::check(cuda::driver().context_wait(), "wait");
  cuda::check(cuda::driver().device_pool(&pool, 0), "pool");
  cuda::check(cuda::driver().pool_trim(pool, 0), "trim");  // what tests before have given back
  cuda::check(cuda::driver().memory_left(&left, &all), "memory");
  device.memory = all - left + 3'000'000;
  if (!counts && left > 2'000'000'000) held.emplace(left - 2'000'000'000);
  std::string text;
  Loc named;
  auto large = compile([&](Tensor x) { return iota({wanted}, 0, f32) + x; });
  const uint32_t line = __LINE__ + 2;
  try {
    large(1.f);
  } catch (const OutOfMemory& error) {
    text = error.what();
    named = error.text().at;
  }
  EXPECT_STREQ(named.file, __FILE__) << text;
  EXPECT_EQ(named.line, line) << "the call that ran out, and not compile()";
  EXPECT_THAT(text, HasSubstr(counts ? "the device has no 8.0 MB left" : "the device has no 3.00 GB left"));
  size_t at = 0;
  for (int k = 7; k >= 3; --k) {
    const size_t found = text.find(fmt::format("f32[{}] layers.{}", 100'000 * k, k));
    EXPECT_NE(found, std::string::npos) << k << "\n" << text;
    EXPECT_GE(found, at);
    at = found;
  }
  EXPECT_EQ(text.find("layers.2"), std::string::npos);
  device.memory = size_t{1} << 40;
  EXPECT_GT(total().item<float>(), 0);  // nothing was lost
}

// Every thread reads the element that the row names, and the row is stored where it lies.
TEST_F(CudaExecutor, a_row_is_stored_when_all_have_what_they_pick_of_it) {
  State rows("rows", reshape(ramp(16 * 4096), {16, 4096}));
  auto step = compile([&](Tensor token) {
    const Tensor is_named = iota({16, 4096}, 1, i32) == reshape(token, {16, 1});
    const Tensor x = rows.value();
    rows.assign(x - sum(where(is_named, x, 0.F), {1}, true));
  });
  std::vector<int32_t> tokens(16);
  for (int k = 0; k < 16; ++k) tokens[static_cast<size_t>(k)] = 250 * k + 5;
  for (int k = 0; k < 2; ++k) step(tensor(tokens, {16}));
  const std::vector<float> got = floats(rows.value());
  for (int k = 0; k < 16; ++k)
    for (int column = 0; column < 4096; ++column)
      ASSERT_EQ(got[static_cast<size_t>(k * 4096 + column)], static_cast<float>(column - (250 * k + 5)))
          << "row " << k << ", column " << column;
}

// Memory may be there again when the program runs next.
TEST_F(CudaExecutor, a_graph_that_was_refused_is_made_again) {
  if (!counts) GTEST_SKIP() << "only the driver of tests refuses one";
  auto f = compile([](Tensor x) { return x * 2 + 1; });
  f(ramp(64));
  device.refuses_graphs = 1;
  EXPECT_THROW(f(ramp(64)), OutOfMemory);
  const HostDriver before = device;
  EXPECT_EQ(floats(f(ramp(64)))[3], 7);
  EXPECT_EQ(device.graphs_made, before.graphs_made + 1);
}

TEST_F(CudaExecutor, threads_read_at_the_same_time) {
  auto f = compile([](Tensor x) { return std::vector<Tensor>{x + 1, x * 2}; });
  std::vector<Tensor> made = f(ramp(4096));
  std::vector<std::thread> team;
  std::vector<float> sums(8);
  for (size_t t = 0; t < sums.size(); ++t)
    team.emplace_back([&, t] {
      for (float x : floats(made[t % 2])) sums[t] += x - (t % 2 ? 4095.f : 2048.5f);
    });
  for (std::thread& thread : team) thread.join();
  for (float sum : sums) EXPECT_EQ(sum, 0);
}

// ---- compiled programs on disk, and texts that were edited ----

class CudaFiles : public CudaExecutor {
 protected:
  static inline const std::string architecture = counts ? "sm_80" : "sm_90a";
  void SetUp() override {
    CudaExecutor::SetUp();
    if (IsSkipped()) return;
    folder_ = std::filesystem::temp_directory_path() / fmt::format("tessera-cuda-files-{}", getpid());
    std::filesystem::create_directories(folder_ / "cache");
    std::filesystem::permissions(folder_ / "cache", std::filesystem::perms::owner_all);
    before_ = getenv("TESSERA_CACHE_DIR") ? getenv("TESSERA_CACHE_DIR") : "";
    setenv("TESSERA_CACHE_DIR", (folder_ / "cache").c_str(), 1);
  }
  void TearDown() override {
    if (IsSkipped()) return;
    unsetenv("TESSERA_KERNELS");
    setenv("TESSERA_CACHE_DIR", before_.c_str(), 1);
    std::filesystem::remove_all(folder_);
    CudaExecutor::TearDown();
  }

  static Program program() {
    std::vector<NodePtr> captured;
    Tensor x = ramp(100);
    return flatten({}, {softmax(x * 3, 0).node(), (x - 7).node()}, false, &captured);
  }
  void put_back(const std::string& from, const std::string& to) {
    const cuda::CompiledProgram made = cuda::compile_program(tripled(), {architecture});
    std::string text = made.lowered.kernels[0].text;
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << text;
    text.replace(at, from.size(), to);
    std::filesystem::create_directories(folder_ / "kernels");
    std::ofstream(folder_ / "kernels" / ("07-" + made.lowered.kernels[0].name + ".cu")) << text;
    setenv("TESSERA_KERNELS", (folder_ / "kernels").c_str(), 1);
  }
  static Program tripled() {
    std::vector<NodePtr> captured;
    return flatten({}, {(ramp(100) * 3).node()}, false, &captured);
  }
  static std::vector<float> run(const Program& program) {
    std::shared_ptr<Executable> executable = find_executor("cuda")->compile(program);
    std::vector<BufferPtr> arguments;
    for (size_t k = 0; k < program.inputs.size(); ++k) arguments.push_back(ramp(100).buffer());
    return tensor_from(executable->run(program, arguments)[0], f32, {100}).to_vector<float>();
  }

  std::filesystem::path folder_;
  std::string before_;
};

TEST_F(CudaFiles, a_warm_start_lowers_and_compiles_nothing) {
  const cuda::CompiledProgram cold = cuda::compile_program(program(), {architecture});
  EXPECT_FALSE(cold.is_from_disk);
  if (counts) {
    EXPECT_GT(device.compiled, 0);
  }
  const int compiled = device.compiled;
  const cuda::CompiledProgram warm = cuda::compile_program(program(), {architecture});
  EXPECT_TRUE(warm.is_from_disk);
  if (counts) {
    EXPECT_EQ(device.compiled, compiled);
  }
  EXPECT_EQ(warm.lowered.plan.to_json(), cold.lowered.plan.to_json());
  ASSERT_EQ(warm.cubins.size(), cold.cubins.size());
  for (size_t k = 0; k < warm.cubins.size(); ++k) {
    EXPECT_EQ(warm.cubins[k].image, cold.cubins[k].image);
    EXPECT_EQ(warm.lowered.kernels[k].text, cold.lowered.kernels[k].text);
  }
  EXPECT_FALSE(cuda::compile_program(program(), {"sm_89"}).is_from_disk);  // another card
  Program strict = program();
  strict.strict = true;
  EXPECT_FALSE(cuda::compile_program(strict, {architecture}).is_from_disk);
}

// What a process of the next test does.
TEST_F(CudaFiles, DISABLED_child) {
  setenv("TESSERA_CACHE_DIR", getenv("TESSERA_TEST_SHARED"), 1);
  EXPECT_EQ(run(tripled())[5], 15);
  cuda::compile_program(program(), {architecture});
}

TEST_F(CudaFiles, many_processes_start_at_once) {
  setenv("TESSERA_TEST_SHARED", (folder_ / "cache").c_str(), 1);
  std::vector<pid_t> children;
  for (int k = 0; k < 4; ++k) {
    children.push_back(fork());
    if (children.back() != 0) continue;
    unsetenv("GTEST_OUTPUT");
    execl("/proc/self/exe", "child", "--gtest_also_run_disabled_tests", "--gtest_filter=CudaFiles.DISABLED_child",
          "--gtest_brief=1", nullptr);
    _exit(127);
  }
  for (pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  for (const codegen::CachedFile& file : codegen::cached_files())
    EXPECT_TRUE(codegen::read_cached(file.key, file.kind)) << file.path;
  const int compiled = device.compiled;
  EXPECT_TRUE(cuda::compile_program(program(), {architecture}).is_from_disk);
  EXPECT_EQ(device.compiled, compiled);
}

TEST_F(CudaFiles, a_cubin_that_is_gone_is_made_again) {
  cuda::compile_program(program(), {architecture});
  int removed = 0;
  for (const codegen::CachedFile& file : codegen::cached_files())
    if (file.kind == "cubin" && removed++ == 0) std::filesystem::remove(file.path);
  ASSERT_GT(removed, 0);
  const int compiled = device.compiled;
  EXPECT_FALSE(cuda::compile_program(program(), {architecture}).is_from_disk);
  if (counts) {
    EXPECT_EQ(device.compiled, compiled + 1);
  }
}

TEST_F(CudaFiles, an_edited_kernel_takes_the_place_of_the_printed_one) {
  EXPECT_EQ(run(tripled())[5], 15);
  put_back(" * 3.f", " * 4.f");
  EXPECT_EQ(run(tripled())[5], 20);
  const cuda::CompiledProgram made = cuda::compile_program(tripled(), {architecture});
  EXPECT_TRUE(made.is_from_disk);  // what was printed is still there
  EXPECT_THAT(codegen::explain(made.lowered.plan, tripled()), HasSubstr("is compiled from " + folder_.string()));
  unsetenv("TESSERA_KERNELS");
  EXPECT_EQ(run(tripled())[5], 15);
}

// The driver of tests is as late as it may: a text that begins early and does not wait reads what is not there yet.
struct EarlyProgram {
  Tensor (*function)(const Tensor&);
  const char* wait;
};
class CudaFilesOfEarly : public CudaFiles, public ::testing::WithParamInterface<EarlyProgram> {};

TEST_P(CudaFilesOfEarly, a_wait_for_the_launch_before_is_missed) {
  if (!counts) GTEST_SKIP() << "on a card the launch before may be fast enough";
  const EarlyProgram& early = GetParam();
  std::vector<NodePtr> captured;
  const Tensor result = early.function(waves(0.01f));
  const Program program = flatten({}, {result.node()}, false, &captured);
  ASSERT_EQ(captured.size(), 1u);
  auto first_of = [&](const Tensor& x) {
    std::vector<BufferPtr> arguments{x.buffer()};
    const auto results = find_executor("cuda")->compile(program)->run(program, arguments);
    return tensor_from(results[0], f32, result.shape()).to_vector<float>()[0];
  };
  const float right = first_of(waves(0.02f));
  EXPECT_EQ(first_of(waves(0.02f)), right);
  first_of(waves(0.01f));  // whose parts lie there now
  const std::string wait = early.wait;
  int edited = 0;
  std::filesystem::create_directories(folder_ / "kernels");
  for (const cuda::KernelSource& kernel : cuda::compile_program(program, {"sm_90a"}).lowered.kernels) {
    const size_t at = kernel.text.find(wait);
    if (at == std::string::npos) continue;
    std::string text = kernel.text;
    std::ofstream(folder_ / "kernels" / (kernel.name + ".cu")) << text.erase(at, wait.size());
    ++edited;
  }
  ASSERT_EQ(edited, 1);
  setenv("TESSERA_KERNELS", (folder_ / "kernels").c_str(), 1);
  EXPECT_NE(first_of(waves(0.02f)), right);
}

INSTANTIATE_TEST_SUITE_P(programs, CudaFilesOfEarly,
                         ::testing::Values(EarlyProgram{sum_of_normalized, "  wait_for_launch_before(part);\n"},
                                           EarlyProgram{product_of_few_rows, "  wait_for_launch_before();\n"}));

TEST_F(CudaFiles, a_text_that_differs_in_comments_alone_is_not_edited) {
  put_back("// kernel", "// my kernel");
  EXPECT_THAT(codegen::explain(cuda::compile_program(tripled(), {architecture}).lowered.plan, tripled()),
              ::testing::Not(HasSubstr("edited")));
}

TEST_F(CudaFiles, an_edited_kernel_that_is_wrong_shows_the_message_of_the_compiler) {
  put_back(" * 3.f", " * three");
  std::string text;
  try {
    run(tripled());
  } catch (const CompileError& error) {
    text = error.what();
  }
  EXPECT_THAT(text, HasSubstr("kernels/07-"));
  EXPECT_THAT(text, HasSubstr("three"));
}

}  // namespace
}  // namespace tessera::testing
