// Steps that repeat the last one: no State is looked at that nobody has touched. Whatever is done to States in between, the
// values are those of an executor that looks at all of them in every run.

#include <gmock/gmock.h>

#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>

#include <tessera/autograd/grad.h>
#include <tessera/core/compile.h>
#include <tessera/core/random.h>
#include <tessera/core/state.h>
#include <tessera/nn/functional.h>
#include <tessera/nn/optim/adam.h>

#include "tests/codegen/cuda_host/cuda_executor.h"

namespace tessera::testing {
namespace {

using ::testing::HasSubstr;

// The CUDA executor, with its runs counted by what they looked at.
class Counting : public Executor {
 public:
  explicit Counting(bool repeats) : repeats_(repeats) {}
  std::string_view name() const override { return "cuda, counted"; }
  std::shared_ptr<Executable> compile(const Program& program) override {
    return std::make_shared<Counted>(find_executor("cuda")->get(program), *this);
  }
  int all = 0, repeated = 0;

 private:
  class Counted : public Executable {
   public:
    Counted(std::shared_ptr<Executable> program, Counting& in) : program_(std::move(program)), in_(in) {}
    std::vector<BufferPtr> run(const Program& recorded, std::vector<BufferPtr>& arguments) override {
      ++in_.all;
      return program_->run(recorded, arguments);
    }
    std::optional<std::vector<NumberedBuffer>> repeat(const Program& recorded,
                                                      std::span<const NumberedBuffer> given) override {
      if (!in_.repeats_) return std::nullopt;
      auto results = program_->repeat(recorded, given);
      in_.all += results.has_value(), in_.repeated += results.has_value();
      return results;
    }

   private:
    std::shared_ptr<Executable> program_;
    Counting& in_;
  };
  bool repeats_;
};

constexpr int64_t size = 64;

// Two States that a step updates in their own memory, one that it reads.
struct Model {
  State a{"a", ramp(size)}, b{"b", ramp(size, 5)}, rate{"rate", full({size}, 0.5)};
  Compiled<std::function<Tensor(Tensor)>> step{[this](Tensor x) {
                                                 a.assign(a.value() * rate.value() + x);
                                                 b.assign(b.value() * 0.75 + x);
                                                 return x * 3.0;
                                               },
                                               {.name = "step"},
                                               Loc::here()};
  Compiled<std::function<Tensor(Tensor)>> other_step{[this](Tensor x) {
                                                       b.assign(b.value() - x);
                                                       return x + 1.0;
                                                     },
                                                     {.name = "other step"},
                                                     Loc::here()};
  Compiled<std::function<Tensor()>> total{
      [this] { return sum(a.value() + b.value() * rate.value()); }, {.name = "total"}, Loc::here()};
  Compiled<std::function<Tensor()>> peek{[this] { return a.value(); }, {.name = "peek"}, Loc::here()};
};

class CudaRepeat : public CudaExecutor {
 protected:
  using Values = std::vector<float>;
  enum class Sums { none, in_another_order };  // of ours and of the reference
  // `what` notes values that it has seen, and the runs that repeated the last one are returned.
  static int repeated_in(const std::function<void(Values&)>& what, Sums sums = Sums::none) {
    static Counting repeating(true), plain(false);
    auto seen_by = [&](Executor& executor) {
      UseExecutor use(executor);
      Values seen;
      what(seen);
      return seen;
    };
    repeating.repeated = 0;
    const Values ours = seen_by(repeating);
    EXPECT_EQ(ours, seen_by(plain));
    if (sums == Sums::none) {
      EXPECT_EQ(ours, seen_by(reference_executor()));
    }
    return repeating.repeated;
  }
  static void note(Values& seen, const Tensor& x) {
    for (float value : floats(x)) seen.push_back(value);
  }
  static void note(Values& seen, const Model& model) {
    for (const State* state : {&model.a, &model.b, &model.rate}) note(seen, *state);
  }
};

TEST_F(CudaRepeat, a_step_repeats_the_one_before) {
  EXPECT_EQ(repeated_in([](Values& seen) {
              Model model;
              std::vector<Tensor> results;
              for (int k = 0; k < 8; ++k) results.push_back(model.step(static_cast<float>(k)));
              for (const Tensor& result : results) note(seen, result);
              note(seen, model);
            }),
            7);
}

// In pieces of memory that are given back when no result in them is left.
TEST_F(CudaRepeat, small_results_lie_side_by_side) {
  repeated_in([](Values& seen) {
    Model model;
    std::vector<Tensor> held;
    for (int k = 0; k < 200; ++k) {
      held.push_back(model.step(static_cast<float>(k % 8)));
      if (k % 7 == 0) held.erase(held.begin(), held.begin() + static_cast<std::ptrdiff_t>(held.size() / 2));
    }
    for (const Tensor& result : held) note(seen, result);
    note(seen, model);
  });
}

TEST_F(CudaRepeat, a_value_that_was_read_stays) {
  // Held: the next run gives the State other memory, the one after finds that, and then they repeat.
  EXPECT_EQ(repeated_in([](Values& seen) {
              Model model;
              std::vector<Tensor> held;
              for (int k = 0; k < 8; ++k) {
                if (k == 4) held.push_back(model.a.value());
                model.step(static_cast<float>(k));
              }
              for (const Tensor& old : held) note(seen, old);
              note(seen, model);
            }),
            5);
  // By its memory alone.
  EXPECT_EQ(repeated_in([](Values& seen) {
              Model model;
              BufferPtr held;
              for (int k = 0; k < 8; ++k) {
                if (k == 4) held = model.b.value().buffer();
                model.step(static_cast<float>(k));
              }
              const auto* old = static_cast<const float*>(held->read());
              seen.assign(old, old + size);
              note(seen, model);
            }),
            5);
  // Read and forgotten, as by a checkpoint: one run looks at all States.
  EXPECT_EQ(repeated_in([](Values& seen) {
              Model model;
              for (int k = 0; k < 8; ++k) {
                if (k == 4) note(seen, model);
                model.step(static_cast<float>(k));
              }
              note(seen, model);
            }),
            6);
}

TEST_F(CudaRepeat, a_value_that_was_assigned_is_the_next_argument) {
  for (State Model::* which : {&Model::a, &Model::rate})
    EXPECT_EQ(repeated_in([&](Values& seen) {
                Model model;
                for (int k = 0; k < 8; ++k) {
                  if (k == 4) (model.*which).assign(ramp(size, 9));
                  model.step(static_cast<float>(k));
                }
                note(seen, model);
              }),
              which == &Model::a ? 6 : 5);  // small data that comes for the first time passes, then it gets a place
  // One State's value as another's: both have it.
  EXPECT_GT(repeated_in([](Values& seen) {
              Model model;
              for (int k = 0; k < 9; ++k) {
                if (k == 4) model.rate.assign(model.b);
                model.step(static_cast<float>(k));
                if (k == 4) note(seen, model.rate);
              }
              note(seen, model);
            }),
            3);
}

// As it was at a checkpoint, it computes what it has computed after it.
TEST_F(CudaRepeat, a_checkpoint_is_loaded_between_steps) {
  repeated_in([](Values& seen) {
    Model model;
    std::vector<Values> saved;
    Values after[2];
    for (int k = 0; k < 4; ++k) model.step(1.f + static_cast<float>(k));
    for (State* state : {&model.a, &model.b, &model.rate}) saved.push_back(floats(*state));
    for (Values& now : after) {
      for (int k = 0; k < 4; ++k) model.step(0.25f * static_cast<float>(k));
      note(now, model);
      size_t next = 0;
      for (State* state : {&model.a, &model.b, &model.rate}) state->assign(tensor(saved[next++], {size}));
    }
    EXPECT_EQ(after[0], after[1]);
    seen = after[1];
  });
}

TEST_F(CudaRepeat, two_functions_share_states) {
  // A look at the States in between costs the next step one of its own.
  EXPECT_EQ(repeated_in([](Values& seen) {
              Model model;
              for (int k = 0; k < 12; ++k) {
                model.step(static_cast<float>(k));
                if (k % 4 == 3) seen.push_back(model.total().item<float>());
              }
              note(seen, model);
            }),
            12 - 1 - 2);
  // In turns both look at all, always.
  EXPECT_EQ(repeated_in([](Values& seen) {
              Model model;
              for (int k = 0; k < 6; ++k) {
                note(seen, model.step(static_cast<float>(k)));
                note(seen, model.other_step(static_cast<float>(k)));
              }
              note(seen, model);
            }),
            0);
  // A function that only reads States repeats itself, and hands out what is nobody's later.
  EXPECT_GT(repeated_in([](Values& seen) {
              Model model;
              std::vector<Tensor> results;
              for (int k = 0; k < 3; ++k) {
                model.step(static_cast<float>(k));
                for (int i = 0; i < 6; ++i) results.push_back(model.total());
                results.push_back(model.peek());
              }
              model.step(7.f), model.step(8.f);
              for (const Tensor& result : results) note(seen, result);
              note(seen, model);
            }),
            8);
}

// Equal programs are one executable, whose last run may have been another model's; and a new model may lie where an old one
// was.
TEST_F(CudaRepeat, equal_models_share_a_program) {
  EXPECT_GT(repeated_in([](Values& seen) {
              Model first, second;
              for (int k = 0; k < 4; ++k) {
                first.step(static_cast<float>(k));
                second.step(10.f * static_cast<float>(k));
              }
              for (int k = 0; k < 4; ++k) first.step(static_cast<float>(k));
              note(seen, first);
              note(seen, second);
            }),
            2);
  EXPECT_EQ(repeated_in([](Values& seen) {
              for (int k = 0; k < 5; ++k) {
                Model model;
                for (int i = 0; i < 3; ++i) model.step(static_cast<float>(k + i));
                note(seen, model);
              }
            }),
            5 * 2);
}

// While somebody holds the memory of a State that no run replaces, each run looks for it anew.
TEST_F(CudaRepeat, what_the_host_writes_reaches_the_device) {
  EXPECT_EQ(repeated_in([](Values& seen) {
              Model model;
              const BufferPtr held = model.rate.value().buffer();
              for (int k = 0; k < 8; ++k) {
                model.step(1.f);
                if (k == 5) held->as<float>()[4] = 0.75;
              }
              note(seen, model);
            }),
            0);
}

// New values that cannot lie where the old ones are still read: the next run is given them.
TEST_F(CudaRepeat, states_move) {
  EXPECT_EQ(repeated_in([](Values& seen) {
              State count("count", full({1}, 2)), sums("sums", zeros({40}, f32)), other("other", ramp(40));
              auto step = compile([&](Tensor x) {
                const Tensor before = count;
                count.assign(before + 1.0);
                Tensor rows = x * before;
                sums.assign(sums.value() * 0.5 + sum(rows, {0}) * before);
                other.assign(reverse(other.value(), {0}));
                return max(rows) + before;
              });
              Tensor held;
              for (int k = 0; k < 9; ++k) {
                if (k == 4) held = count.value();
                if (k == 6) count.assign(full({1}, 7));
                note(seen, step(reshape(ramp(80, static_cast<float>(k)), {2, 40})));
              }
              for (const Tensor& value : {count.value(), sums.value(), other.value(), held}) note(seen, value);
            }),
            6);
}

TEST_F(CudaRepeat, a_step_that_draws_repeats) {
  auto train = [](Executor& executor) {
    UseExecutor use(executor);
    seed(5);
    State weight("weight", ramp(size) * 0.01), bias("bias", ramp(size));
    optim::AdamW opt({&weight, &bias}, {.weight_decay = 0.1});
    auto step = compile([&](Tensor x) {
      Tensor y = nn::dropout(nn::dropout(x * weight.value(), 0.25) + bias.value(), 0.5);
      Tensor loss = mean(square(y - x));
      opt.step(grad(loss, {weight.value(), bias.value()}), 0.01);
      return loss;
    });
    Values seen;
    for (int k = 0; k < 6; ++k) note(seen, step(reshape(ramp(8 * size), {8, size}) * 0.01));
    note(seen, weight);
    note(seen, bias);
    return seen;
  };
  static Counting repeating(true), plain(false);
  EXPECT_EQ(train(repeating), train(plain));
  EXPECT_EQ(repeating.repeated, 4);  // the seed is small data that no run writes: it gets a place in the second
}

TEST_F(CudaRepeat, arguments_come_from_anywhere) {
  EXPECT_GT(repeated_in([](Values& seen) {
              Model model;
              Tensor closed_over = ramp(size, 3), same = ramp(size, 1);
              auto step = compile([&](Tensor x) {
                model.a.assign(model.a.value() * 0.5 + x * closed_over);
                return x * 0.5 + 1.0;
              });
              Tensor x = same;
              for (int k = 0; k < 6; ++k) x = step(x);  // its own result
              for (int k = 0; k < 3; ++k) step(same);
              step(ramp(size, 4)), step(model.rate.value()), step(ramp(size) * 2.0);
              note(seen, x);
              note(seen, model);
            }),
            6);
}

// Weights are read rounded by products, and the rounded ones are kept: whoever assigns a weight makes them stale.
TEST_F(CudaRepeat, copies_of_weights_follow) {
  static Counting repeating(true), plain(false);
  auto train = [](Executor& executor, const Precision& mixed) {
    UseExecutor use(executor);
    State w("w", reshape(ramp(size * 16, -500), {size, 16}) * 0.00123), v("v", full({16, 16}, 0.37));
    auto step = compile(
        [&](Tensor x) {
          Tensor y = matmul(matmul(x, w.value()), v.value());
          w.assign(w.value() * 0.97 + 0.001);
          return y;
        },
        {.precision = mixed});
    auto look = compile([&](Tensor x) { return matmul(x, w.value()); }, {.precision = mixed});
    Values seen;
    for (int k = 0; k < 16; ++k) {
      Tensor x = reshape(ramp(8 * size, static_cast<float>(k)), {8, size}) * 0.001;
      note(seen, step(x));
      if (k == 5) note(seen, w);
      if (k == 8) w.assign(w.value() * 1.7);
      if (k == 10) v.assign(full({16, 16}, 0.73));
      if (k == 12) note(seen, look(x));
    }
    note(seen, w);
    note(seen, look(full({8, size}, 0.1)));
    return seen;
  };
  const Values ours = train(repeating, "bf16_mixed"), expected = train(reference_executor(), "f32");  // without copies
  EXPECT_EQ(ours, train(plain, "bf16_mixed"));
  ASSERT_EQ(ours.size(), expected.size());
  for (size_t k = 0; k < ours.size(); ++k) ASSERT_NEAR(ours[k], expected[k], 0.02 * (0.2 + std::abs(expected[k]))) << k;
  EXPECT_GT(repeating.repeated, 5);
}

// ---- errors ----

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

TEST_F(CudaRepeat, an_index_outside_leaves_no_value) {
  static Counting repeating(true);
  UseExecutor use(repeating);
  State table("table", reshape(ramp(40), {8, 5})), seen("seen", ramp(5));
  auto take = compile([&](Tensor index) {
    Tensor rows = gather(table.value(), index, 0);
    seen.assign(seen.value() + sum(rows, {0}));
    return rows;
  });
  auto index = [](int32_t i) { return tensor<int32_t>({1, i}); };
  std::vector<Tensor> good;
  for (int k = 0; k < 4; ++k) good.push_back(take(index(2)));
  EXPECT_EQ(repeating.repeated, 3);
  Tensor wrong = take(index(8));
  EXPECT_EQ(repeating.repeated, 4);
  const std::string outside = "gather index 8 is out of range";
  EXPECT_THAT(error_of([&] { floats(wrong); }), HasSubstr(outside));
  EXPECT_THAT(error_of([&] { take(index(1)); }), HasSubstr(outside));
  EXPECT_THAT(error_of([&] { floats(seen); }), HasSubstr(outside));
  for (const Tensor& rows : good) EXPECT_EQ(floats(rows)[5], 10);  // of runs that went well
  seen.assign(ramp(5));
  for (int k = 0; k < 4; ++k) EXPECT_EQ(floats(take(index(3)))[5], 15);
  EXPECT_EQ(floats(seen)[1], 1 + 4 * (6 + 16));
}

// Whoever reads what such a run assigned fails with it, in its first run or in one that repeats that.
TEST_F(CudaRepeat, an_index_outside_is_told_to_all_that_read) {
  static Counting repeating(true);
  UseExecutor use(repeating);
  State table("table", reshape(ramp(40), {8, 5})), seen("seen", ramp(5));
  auto take = compile([&](Tensor index) { seen.assign(seen.value() + sum(gather(table.value(), index, 0), {0})); });
  auto look = compile([&] { return seen.value() * 2.0; });
  for (int k = 0; k < 6; ++k) look();
  take(tensor<int32_t>({1, 8}));
  const Tensor first = look(), second = look();
  for (const Tensor& result : {first, second})
    EXPECT_THAT(error_of([&] { floats(result); }), HasSubstr("gather index 8 is out of range"));
}

// A function that only reads States: one batch that is wrong does not spoil the next.
TEST_F(CudaRepeat, an_index_outside_spoils_no_state_that_was_read) {
  static Counting repeating(true);
  UseExecutor use(repeating);
  State table("table", reshape(ramp(40), {8, 5}));
  auto take = compile([&](Tensor index) { return gather(table.value(), index, 0) * 2.0; });
  auto index = [](int32_t i) { return tensor<int32_t>({1, i}); };
  for (int k = 0; k < 4; ++k) take(index(2));
  EXPECT_THAT(error_of([&] { floats(take(index(8))); }), HasSubstr("gather index 8 is out of range"));
  for (int k = 0; k < 4; ++k) EXPECT_EQ(floats(take(index(3)))[5], 30);
  EXPECT_GE(repeating.repeated, 6);
}

TEST_F(CudaRepeat, an_error_loses_nothing) {
  if (!counts) GTEST_SKIP() << "a card has memory for this";
  static Counting repeating(true);
  UseExecutor use(repeating);
  Model model;
  std::vector<Tensor> held;
  for (int k = 0; k < 4; ++k) held.push_back(model.step(1.f));
  EXPECT_EQ(repeating.repeated, 3);
  device.memory = 0;
  EXPECT_THAT(error_of([&] {
                while (true) held.push_back(model.step(0.f));  // until nothing is left that was once given back
              }),
              HasSubstr("the device has no"));
  device.memory = size_t{1} << 40;
  for (int k = 0; k < 3; ++k) model.step(0.f);
  UseExecutor reference(reference_executor());
  Model expected;
  for (int k = 0; k < 4; ++k) expected.step(1.f);
  for (size_t k = 4; k < held.size() + 3; ++k) expected.step(0.f);
  EXPECT_EQ(floats(model.a), floats(expected.a));
  EXPECT_EQ(floats(model.b), floats(expected.b));
}

// ---- all of it, at random ----

TEST_F(CudaRepeat, whatever_is_done_in_between) {
  for (unsigned seed = 0; seed < 4; ++seed) {
    const int repeated = repeated_in(
        [&](Values& seen) {
          std::mt19937 random(seed);
          std::optional<Model> models[2];
          for (auto& model : models) model.emplace();
          std::vector<Tensor> held;
          std::vector<BufferPtr> memory;
          for (int k = 0; k < 250; ++k) {
            std::optional<Model>& model = models[random() % 2];
            State* const states[] = {&model->a, &model->b, &model->rate};
            State& state = *states[random() % 3];
            const float x = static_cast<float>(random() % 16) / 16;
            switch (random() % 20) {
              case 0: held.push_back(state.value()); break;
              case 1: memory.push_back(state.value().buffer()); break;
              case 2: note(seen, state); break;
              case 3: state.assign(ramp(size, x)); break;
              case 4: state.assign(state.value() * 0.5 + x); break;
              case 5: state.assign(*states[random() % 3]); break;
              case 6: held.push_back(model->total()); break;
              case 7: held.push_back(model->peek()); break;
              case 8: model->other_step(x); break;
              case 9:
                if (!held.empty()) note(seen, held[random() % held.size()]);
                break;
              case 10: held.clear(), memory.clear(); break;
              case 11: model.emplace(); break;
              case 12: held.push_back(model->step(state.value())); break;
              default:
                for (int i = 0; i < 3; ++i) held.push_back(model->step(x));
            }
          }
          for (const Tensor& old : held) note(seen, old);
          for (const BufferPtr& old : memory) {
            const auto* values = static_cast<const float*>(old->read());
            seen.insert(seen.end(), values, values + size);
          }
          for (const auto& model : models) note(seen, *model);
        },
        Sums::in_another_order);
    EXPECT_GT(repeated, 50) << seed;
  }
}

TEST_F(CudaRepeat, threads_get_hold_of_values) {
  EXPECT_GT(repeated_in([](Values& seen) {
              Model model;
              for (int k = 0; k < 6; ++k) {
                for (int i = 0; i < 3; ++i) model.step(static_cast<float>(k));
                std::vector<Tensor> held(8);
                std::vector<std::thread> team;
                for (size_t t = 0; t < held.size(); ++t)
                  team.emplace_back([&, t] {
                    held[t] = (t % 2 ? model.a : model.b).value();
                    if (t < 4) floats(held[t]);
                  });
                for (std::thread& thread : team) thread.join();
                model.step(0.5f);
                for (const Tensor& old : held) note(seen, old);
              }
              note(seen, model);
            }),
            6);
}

}  // namespace
}  // namespace tessera::testing
