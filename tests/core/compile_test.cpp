// compile(): signatures, States as inputs and outputs, and what it refuses.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <limits>
#include <optional>

#include <tessera/core/compile.h>
#include <tessera/core/device.h>
#include <tessera/core/error.h>
#include <tessera/core/executor.h>
#include <tessera/core/random.h>
#include <tessera/core/trace.h>

namespace tessera {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Tensor vec(std::initializer_list<float> values) { return tensor<float>(values); }

template <class E, class F> std::string message_of(F f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  } catch (const std::exception& e) {
    return std::string("another error: ") + e.what();
  }
  return "no error";
}

TEST(Compile, runs_what_was_recorded) {
  auto f = compile([](Tensor x, Tensor y) { return x * y + 1.0; });
  EXPECT_THAT(f(vec({1, 2}), vec({3, 4})).to_vector<float>(), ElementsAre(4, 9));
  EXPECT_THAT(f(vec({5, 6}), vec({7, 8})).to_vector<float>(), ElementsAre(36, 49));
  EXPECT_EQ(f.programs(), 1);
}

TEST(Compile, one_program_per_signature) {
  auto f = compile([](Tensor x) { return sum(x); });
  f(vec({1, 2}));
  f(vec({1, 2, 3}));
  f(vec({4, 5}));
  EXPECT_EQ(f.programs(), 2);
}

TEST(Compile, a_number_is_an_argument_and_never_recompiles) {
  auto f = compile([](Tensor x, Tensor lr) { return x * lr; });
  for (float lr : {0.5f, 0.25f, 2.0f}) EXPECT_THAT(f(vec({4}), lr).to_vector<float>(), ElementsAre(4 * lr));
  EXPECT_EQ(f.programs(), 1);
}

struct Pair {
  Tensor a, b;
  template <class V> void fields(V&& v) { v("a", a), v("b", b); }
};
TEST(Compile, structs_travel_by_their_fields) {
  auto swap = compile([](Pair p) { return Pair{p.b, p.a}; });
  Pair out = swap(Pair{vec({1}), vec({2, 3})});
  EXPECT_THAT(out.a.to_vector<float>(), ElementsAre(2, 3));
  EXPECT_THAT(out.b.to_vector<float>(), ElementsAre(1));
}

std::vector<Tensor> vectors(std::initializer_list<float> values) {
  std::vector<Tensor> out;
  for (float value : values) out.push_back(vec({value}));
  return out;
}
std::vector<float> firsts(const std::vector<Tensor>& tensors) {
  std::vector<float> out;
  for (const Tensor& t : tensors) out.push_back(t.to_vector<float>().front());
  return out;
}

TEST(Compile, each_length_of_an_argument_is_a_signature) {
  auto total = compile([](const std::vector<Tensor>& parts) {
    Tensor out = parts.front();
    for (size_t i = 1; i < parts.size(); ++i) out = out + parts[i];
    return out;
  });
  for (int turn = 0; turn < 2; ++turn) {
    EXPECT_THAT(total(vectors({1, 2})).to_vector<float>(), ElementsAre(3));
    EXPECT_THAT(total(vectors({1, 2, 4})).to_vector<float>(), ElementsAre(7));
    EXPECT_THAT(total(vectors({8})).to_vector<float>(), ElementsAre(8));
  }
  EXPECT_EQ(total.programs(), 3);
}

TEST(Compile, lengths_tell_signatures_of_as_many_tensors_apart) {
  auto sizes = compile([](const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
    return (a.empty() ? b : a).front() + static_cast<double>(10 * a.size() + 100 * b.size());
  });
  for (int turn = 0; turn < 2; ++turn) {
    EXPECT_EQ(sizes(vectors({1}), vectors({2, 3})).item<float>(), 211);
    EXPECT_EQ(sizes(vectors({1, 2}), vectors({3})).item<float>(), 121);
    EXPECT_EQ(sizes(vectors({}), vectors({1, 2, 3})).item<float>(), 301);
  }
  EXPECT_EQ(sizes.programs(), 3);
}

struct Parts {
  std::vector<Tensor> low, high;
  template <class V> void fields(V&& v) { v("low", low), v("high", high); }
};
TEST(Compile, each_signature_has_results_of_its_own_lengths) {
  auto split = compile([](Tensor x) {  // x has as many elements as there are results
    Parts out;
    for (int64_t i = 0; i < x.shape()[0]; ++i) (i < 2 ? out.low : out.high).push_back(slice(x, 0, {i, i + 1}));
    return out;
  });
  for (int turn = 0; turn < 2; ++turn) {
    for (int again = 0; again < 2; ++again) {
      Parts two = split(vec({1, 2}));
      EXPECT_THAT(firsts(two.low), ElementsAre(1, 2));
      EXPECT_TRUE(two.high.empty());
    }
    for (int again = 0; again < 2; ++again) {
      Parts four = split(vec({5, 6, 7, 8}));
      EXPECT_THAT(firsts(four.low), ElementsAre(5, 6));
      EXPECT_THAT(firsts(four.high), ElementsAre(7, 8));
    }
  }
}

TEST(Compile, types_tell_signatures_of_as_many_tensors_apart) {
  auto f = compile([](const auto&... x) {
    if constexpr (sizeof...(x) == 1) return Pair{(x, ...).b, (x, ...).a};
    else return (x - ...);
  });
  for (int turn = 0; turn < 2; ++turn) {
    EXPECT_THAT(f(vec({5}), vec({3})).template to_vector<float>(), ElementsAre(2));
    EXPECT_THAT(f(Pair{vec({5}), vec({3})}).a.template to_vector<float>(), ElementsAre(3));
  }
}

auto doubled_elements() {
  return compile([](Tensor x) {
    std::vector<Tensor> out;
    for (int64_t i = 0; i < x.shape()[0]; ++i) out.push_back(slice(x * 2.0, 0, {i, i + 1}));
    return out;
  });
}

TEST(Compile, a_function_that_was_moved_goes_on) {
  auto f = std::make_optional(doubled_elements());
  EXPECT_THAT(firsts((*f)(vec({1}))), ElementsAre(2));
  auto moved = std::move(*f);
  f.reset();
  EXPECT_THAT(firsts(moved(vec({1, 2, 3}))), ElementsAre(2, 4, 6));
  EXPECT_THAT(firsts(moved(vec({4}))), ElementsAre(8));
  EXPECT_EQ(moved.programs(), 2);
}

TEST(Compile, copies_of_a_function_share_their_programs) {
  auto f = doubled_elements();
  auto early = f;
  EXPECT_THAT(firsts(f(vec({1}))), ElementsAre(2));
  auto late = f;
  EXPECT_THAT(firsts(late(vec({1, 2, 3}))), ElementsAre(2, 4, 6));
  EXPECT_THAT(firsts(early(vec({4, 5, 6}))), ElementsAre(8, 10, 12));
  EXPECT_THAT(firsts(f(vec({7, 8, 9}))), ElementsAre(14, 16, 18));
  for (const auto* each : {&f, &early, &late}) EXPECT_EQ(each->programs(), 2);
}

TEST(Compile, states_are_read_and_assigned) {
  State counter("counter", vec({0, 0}));
  auto step = compile([&](Tensor x) { counter.assign(counter + x); });
  for (int i = 0; i < 4; ++i) step(vec({1, 10}));
  EXPECT_THAT(counter.value().to_vector<float>(), ElementsAre(4, 40));
}

TEST(Compile, a_state_read_after_its_assignment_is_the_new_value) {
  State s("s", vec({1}));
  auto step = compile([&] {
    s.assign(s * 2.0);
    return s + 0.5;
  });
  EXPECT_THAT(step().to_vector<float>(), ElementsAre(2.5f));
  EXPECT_THAT(s.value().to_vector<float>(), ElementsAre(2));
}

TEST(Compile, an_old_value_that_someone_holds_survives_the_update) {
  State s("s", vec({1, 2, 3}));
  Tensor old = s.value();
  auto step = compile([&] { s.assign(s + 1.0); });
  step();
  step();
  EXPECT_THAT(old.to_vector<float>(), ElementsAre(1, 2, 3));
  EXPECT_THAT(s.value().to_vector<float>(), ElementsAre(3, 4, 5));
}

TEST(Compile, two_states_can_swap) {
  State a("a", vec({1})), b("b", vec({2}));
  auto swap = compile([&] {
    Tensor old = a.value();
    a.assign(b.value());
    b.assign(old);
  });
  for (int i = 0; i < 3; ++i) swap();
  EXPECT_THAT(a.value().to_vector<float>(), ElementsAre(2));
  EXPECT_THAT(b.value().to_vector<float>(), ElementsAre(1));
}

TEST(Compile, an_old_value_is_read_before_it_is_overwritten) {
  State a("a", vec({1, 2, 3})), b("b", vec({0, 0, 0}));
  auto step = compile([&] {
    Tensor old = a.value();
    a.assign(old + 1.0);
    b.assign(cumsum(old, 0));
  });
  step();
  step();
  EXPECT_THAT(a.value().to_vector<float>(), ElementsAre(3, 4, 5));
  EXPECT_THAT(b.value().to_vector<float>(), ElementsAre(2, 5, 9));
}

// Large enough to be cut into tasks whose partial sums are added.
TEST(Compile, large_values_are_computed_to_the_last_element) {
  auto f = compile([](Tensor x) { return std::vector<Tensor>{x * 2.0, sum(x, {0}), sum(x)}; });
  Tensor x = iota({3000, 700}, 0, f32).eval();
  std::vector<Tensor> out = f(x);
  std::vector<float> doubled = out[0].to_vector<float>(), columns = out[1].to_vector<float>();
  EXPECT_EQ(doubled.back(), 2 * 2999);
  constexpr float column = 3000.0f * 2999 / 2;
  for (float c : {columns.front(), columns[350], columns.back()}) EXPECT_NEAR(c, column, 1e-6 * column);
  EXPECT_NEAR(out[2].item<float>(), 700 * column, 1e-5 * 700 * column);
}

TEST(Compile, captured_tensors_are_data) {
  Tensor table = vec({1, 2, 3}) * 2.0;  // recorded, not computed
  auto f = compile([&](Tensor x) { return x + table; });
  EXPECT_THAT(f(vec({1, 1, 1})).to_vector<float>(), ElementsAre(3, 5, 7));
  EXPECT_THAT(f(vec({0, 0, 0})).to_vector<float>(), ElementsAre(2, 4, 6));
}

TEST(Compile, an_error_in_a_run_loses_no_state) {
  State s("s", vec({1, 2}));
  auto step = compile([&](Tensor index) {
    s.assign(s + gather(vec({10, 20}), index));
    return sum(s.value());
  });
  Tensor good = tensor<int32_t>({0, 1}), bad = tensor<int32_t>({0, 7});
  step(good);
  std::string text = message_of<ValueError>([&] { step(bad); });
  EXPECT_THAT(text, HasSubstr("7"));
  EXPECT_THAT(text, HasSubstr("compile_test.cpp"));
  EXPECT_THAT(s.value().to_vector<float>(), ElementsAre(11, 22));
  step(good);
  EXPECT_THAT(s.value().to_vector<float>(), ElementsAre(21, 42));
}

TEST(Compile, a_changed_constant_is_found_on_the_second_call) {
  double scale = 1;
  auto f = compile([&](Tensor x) { return x * (scale *= 2); });
  f(vec({1}));
  std::string text = message_of<TraceError>([&] { f(vec({1})); });
  EXPECT_THAT(text, HasSubstr("constant"));
  EXPECT_THAT(text, HasSubstr("compile_test.cpp:" + std::to_string(__LINE__ - 4)));
}

TEST(Compile, a_changed_branch_is_found_on_the_second_call) {
  int calls = 0;
  auto f = compile([&](Tensor x) { return calls++ ? exp(x) : log(x); });
  f(vec({1}));
  EXPECT_THAT(message_of<TraceError>([&] { f(vec({1})); }), HasSubstr("different computation"));
}

TEST(Compile, reading_a_value_while_recording_throws) {
  auto f = compile([](Tensor x) { return x.item<float>() > 0 ? x : -x; });
  EXPECT_THAT(message_of<TraceError>([&] { f(vec({1})); }), HasSubstr("where()"));
}

TEST(Compile, a_value_that_leaks_out_of_a_recording_cannot_be_read) {
  Tensor leaked;
  auto f = compile([&](Tensor x) {
    leaked = x + 1.0;
    return x;
  });
  f(vec({1}));
  EXPECT_THAT(message_of<TraceError>([&] { leaked.eval(); }), HasSubstr("has ended"));
}

// A recording may stand where an ended one stood.
TEST(Compile, recordings_are_told_apart_where_they_share_an_address) {
  std::optional<Trace> trace(std::in_place);
  const Tensor kept = iota({4}, 0, f32);
  trace.emplace(/*as_written=*/true);
  EXPECT_THAT(message_of<TraceError>([&] { (void)kept.to_vector<float>(); }), HasSubstr("T-T002"));
  EXPECT_THAT(message_of<TraceError>([&] { (void)trace->finish({kept + 1}, "late"); }), HasSubstr("T-T007"));
}

TEST(Compile, compiled_functions_do_not_nest) {
  auto inner = compile([](Tensor x) { return x; });
  auto outer = compile([&](Tensor x) { return inner(x); });
  EXPECT_NE(message_of<TraceError>([&] { outer(vec({1})); }), "no error");
}

TEST(Compile, errors_of_a_call_name_its_line) {
  auto f = compile([](auto... x) { return std::vector<Tensor>{x...}; });
  const Tensor x = vec({1});
  Trace recording;  // while it lives, every call is refused
  auto expect_line = [](uint32_t line, const std::function<void()>& call) {
    try {
      call();
      FAIL() << "nothing was thrown";
    } catch (const TraceError& error) {
      EXPECT_EQ(error.text().at.line, line) << error.what();
    }
  };
  expect_line(__LINE__, [&] { f(); });
  expect_line(__LINE__, [&] { f(x); });
  expect_line(__LINE__, [&] { f(x, x); });
  expect_line(__LINE__, [&] { f(x, x, x); });
  expect_line(__LINE__, [&] { f(x, x, x, x); });
}

TEST(Compile, draws_differ_between_runs_and_repeat_after_seed) {
  auto draw = compile([] { return uniform({4}); });
  seed(3);
  auto first = draw().to_vector<float>(), second = draw().to_vector<float>();
  EXPECT_NE(first, second);
  seed(3);
  EXPECT_EQ(draw().to_vector<float>(), first);
  EXPECT_EQ(draw().to_vector<float>(), second);
}

TEST(Compile, draws_outside_do_not_come_again_inside) {
  auto draw = compile([] { return uniform({4}); });
  seed(3);
  draw();
  auto outside = uniform({4}).to_vector<float>(), inside = draw().to_vector<float>();
  EXPECT_NE(outside, inside);
  seed(3);
  EXPECT_NE(uniform({4}).to_vector<float>(), draw().to_vector<float>());
}

TEST(Compile, seeds_have_all_of_their_bits) {
  auto draw = compile([] { return uniform({4}); });
  seed((uint64_t{1} << 60) + 1);
  auto odd = draw().to_vector<float>();
  seed(uint64_t{1} << 60);
  EXPECT_NE(draw().to_vector<float>(), odd);
}

TEST(Compile, two_programs_of_equal_shape_are_told_apart) {
  auto rows = compile([](Tensor x) { return sum(x, {1}); });
  auto columns = compile([](Tensor x) { return sum(x, {0}); });
  Tensor x = tensor(std::vector<float>{1, 2, 3, 4}, {2, 2});
  EXPECT_THAT(rows(x).to_vector<float>(), ElementsAre(3, 7));
  EXPECT_THAT(columns(x).to_vector<float>(), ElementsAre(4, 6));
}

// A cache that a step appends to: the update costs what it writes, and the memory stays where it is.
TEST(Compile, an_update_of_a_state_is_written_in_place) {
  if (default_executor().name() != "jit") GTEST_SKIP() << "the reference executor donates nothing";
  State cache("cache", zeros({64, 8}).eval());
  auto append = compile([&](Tensor row, Tensor at) {
    cache.assign(dynamic_update_slice(cache.value(), row, {at, scalar(int64_t{0}, i64)}));
    return at + int64_t{1};
  });
  Tensor at = scalar(int64_t{0}, i64);
  append(full({1, 8}, 1.0), at);
  const void* where = cache.value().buffer()->data();
  for (int64_t k = 1; k < 5; ++k) {
    append(full({1, 8}, static_cast<double>(k)), scalar(k, i64));
    EXPECT_EQ(cache.value().buffer()->data(), where);
  }
  std::vector<float> rows = cache.value().to_vector<float>();
  for (size_t k = 1; k < 5; ++k) EXPECT_EQ(rows[k * 8 + 7], static_cast<float>(k));
  EXPECT_EQ(rows[5 * 8], 0);
  // Whoever still holds the old value keeps it.
  Tensor before = cache.value();
  append(full({1, 8}, 9.0), scalar(int64_t{0}, i64));
  EXPECT_EQ(before.to_vector<float>()[0], 1);
  EXPECT_EQ(cache.value().to_vector<float>()[0], 9);
}

// bf16 has eight bits: 256 + 1 rounds to 256, so what is left after the subtraction is 0 or, unrounded, 1.
TEST(Compile, strict_rounds_every_op_to_its_dtype) {
  auto f = [](Tensor a, Tensor b) { return (a + b) - a; };
  Tensor a = full({4}, 256.0, bf16), b = full({4}, 1.0, bf16);
  EXPECT_THAT(compile(f, {.strict = true})(a, b).to_vector<float>(), ElementsAre(0, 0, 0, 0));
  if (default_executor().name() == "reference") return;  // op by op in any case
  EXPECT_THAT(compile(f)(a, b).to_vector<float>(), ElementsAre(1, 1, 1, 1));
}

// A kernel goes on with more bits than f16 and bf16 have: 300² is no f16, 10⁻⁸ is 0 there, and 2.997 is 3 in bf16.
TEST(Compile, what_a_narrow_value_decides_is_as_its_dtype_has_it) {
  auto of_square = compile(
      [](Tensor x) { return std::vector<Tensor>{cast(is_finite(x * x), i32), cast(cast(x * x, boolean), i32)}; });
  const std::vector<Tensor> decided = of_square(cast(vec({300, 1e-4f}), f16));
  EXPECT_THAT(decided[0].to_vector<int>(), ElementsAre(0, 1));
  EXPECT_THAT(decided[1].to_vector<int>(), ElementsAre(1, 0));
  auto product = compile([](Tensor a, Tensor b) { return cast(a * b, i32); });
  EXPECT_THAT(product(full({1}, 1.03125, bf16), full({1}, 2.90625, bf16)).to_vector<int>(), ElementsAre(3));
}

TEST(Compile, strict_gives_the_bits_of_single_ops) {
  auto f = [](Tensor x, Tensor y) { return (x * y + x) * 0.3 - y * x; };
  for (DType t : {bf16, f16}) {
    Tensor x = cast(iota({33}, 0, f32) * 0.37 - 5.0, t).eval(), y = cast(iota({33}, 0, f32) * 0.11 + 0.5, t).eval();
    std::vector<float> wanted;
    {
      UseExecutor reference(reference_executor());
      wanted = f(x, y).to_vector<float>();
    }
    EXPECT_EQ(compile(f, {.strict = true})(x, y).to_vector<float>(), wanted) << name(t);
  }
}

// 1 / 0 is ∞ and 1 / −0 is −∞.
TEST(Compile, a_zero_that_is_added_takes_the_sign_of_a_zero) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  auto f = [](Tensor x) { return std::vector<Tensor>{1.0 / (x + 0.0), 1.0 / (0.0 + x), 1.0 / (x - 0.0)}; };
  for (const bool strict : {false, true}) {
    const std::vector<Tensor> got = compile(f, {.strict = strict})(vec({-0.0f}));
    EXPECT_THAT(got[0].to_vector<float>(), ElementsAre(infinity));
    EXPECT_THAT(got[1].to_vector<float>(), ElementsAre(infinity));
    EXPECT_THAT(got[2].to_vector<float>(), ElementsAre(-infinity));
  }
}

// Sums of one element, and of tensors side by side with zeros around, add those.
TEST(Compile, strict_sums_add_their_zeros) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  auto f = [](Tensor x) {
    const Tensor apart = pad(x, {{.low = 0, .high = 1}}) + pad(x, {{.low = 1, .high = 0}});
    return std::vector<Tensor>{1.0 / apart, 1.0 / sum(x, {0})};
  };
  const std::vector<Tensor> got = compile(f, {.strict = true})(vec({-0.0f}));
  EXPECT_THAT(got[0].to_vector<float>(), ElementsAre(infinity, infinity));
  EXPECT_THAT(got[1].to_vector<float>(), ElementsAre(infinity));
}

TEST(Device, without_a_card_the_caller_is_named) {
  if (!find_executor("cuda")) GTEST_SKIP() << "no compiler for it";
  setenv("CUDA_VISIBLE_DEVICES", "-1", 1);  // there is none, also where there is one
  const uint32_t line = Loc::here().line + 2;
  try {
    set_device("cuda");
    FAIL() << "there is no card";
  } catch (const DeviceError& error) {
    EXPECT_EQ(error.text().at.line, line) << error.what();
  }
}

}  // namespace
}  // namespace tessera
