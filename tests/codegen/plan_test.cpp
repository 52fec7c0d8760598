// The arena planner's promises, and plans through JSON and as the disk cache keeps them.

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include <tessera/codegen/plan/arena.h>
#include <tessera/codegen/plan/group_launches.h>
#include <tessera/codegen/plan/plan.h>
#include <tessera/codegen/plan/stored_plan.h>
#include <tessera/core/compile.h>
#include <tessera/core/error.h>

namespace tessera::codegen {
namespace {

TEST(Arena, NeverOverlapsWhatLivesTogether) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<Interval> intervals(1 + random() % 60);
    for (Interval& i : intervals) {
      i.first = static_cast<int>(random() % 40);
      i.last = i.first + static_cast<int>(random() % 12);
      i.bytes = static_cast<int64_t>(random() % 5 == 0 ? 0 : random() % 5000);
    }
    int64_t total = place_intervals(intervals), peak = peak_live(intervals);
    EXPECT_GE(total, peak);
    for (size_t a = 0; a < intervals.size(); ++a) {
      const Interval& x = intervals[a];
      EXPECT_EQ(x.offset % arena_alignment, 0);
      EXPECT_LE(x.offset + x.bytes, total);
      for (size_t b = 0; b < a; ++b) {
        const Interval& y = intervals[b];
        if (x.first > y.last || y.first > x.last) continue;
        EXPECT_TRUE(x.offset + x.bytes <= y.offset || y.offset + y.bytes <= x.offset);
      }
    }
  }
}

TEST(Arena, PacksAChainAsTightAsItsPeak) {
  // Forward activations that live until their backward step, nested like brackets.
  std::vector<Interval> intervals;
  for (int k = 0; k < 20; ++k) intervals.push_back({k, 60 - k, 1000 * (1 + k % 3), 0});
  for (int k = 0; k < 60; ++k) intervals.push_back({k, k + 1, 4096, 0});
  int64_t total = place_intervals(intervals);
  EXPECT_LE(static_cast<double>(total), 1.05 * static_cast<double>(peak_live(intervals)));
}

// A plan of launches that each read one value and write one; kernel 0 is an optimizer's, kernel 1 another.
struct Launched {
  int kernel, read, written;
};
Plan plan_of(const std::vector<Launched>& list, int64_t bytes = 64) {
  Plan plan;
  plan.kernels = {{"a", "adam", "adam", "pointwise"}, {"b", "other", "other", "row"}};
  for (int k = 0; k < 12; ++k) plan.values.push_back({.bytes = bytes});
  for (const Launched& one : list) {
    PlanLaunch launch;
    launch.kernel = one.kernel, launch.values = {one.read, one.written}, launch.reads = 1, launch.tasks = one.written;
    plan.launches.push_back(launch);
  }
  return plan;
}
// What each launch writes, in order; those that join the one before it with a minus.
std::vector<int> order_of(Plan plan) {
  group_launches(plan);
  std::vector<int> order;
  for (const PlanLaunch& launch : plan.launches) order.push_back(launch.joins ? -launch.values[1] : launch.values[1]);
  return order;
}

TEST(GroupLaunches, MovesThoseOfOneKernelTogether) {
  EXPECT_EQ(order_of(plan_of({{0, 0, 1}, {1, 0, 2}, {0, 0, 3}, {1, 2, 4}, {0, 0, 5}})),
            (std::vector<int>{2, 4, 1, -3, -5}));
}

TEST(GroupLaunches, StopsAtWhatReadsOrWritesTheSame) {
  using Order = std::vector<int>;
  EXPECT_EQ(order_of(plan_of({{0, 0, 1}, {1, 1, 2}, {0, 0, 3}})), (Order{1, 2, 3})) << "its result is read";
  EXPECT_EQ(order_of(plan_of({{0, 0, 1}, {1, 2, 0}, {0, 3, 4}})), (Order{1, 0, 4})) << "what it reads is replaced";
  EXPECT_EQ(order_of(plan_of({{0, 0, 1}, {0, 1, 2}, {0, 0, 3}})), (Order{1, 2, -3})) << "the second needs the first";
  EXPECT_EQ(order_of(plan_of({{0, 0, 1}, {0, 0, 2}}, 1 << 20)), (Order{1, 2})) << "large ones run alone";
}

TEST(GroupLaunches, KnowsAnArgumentsBuffer) {
  Plan plan = plan_of({{0, 0, 1}, {1, 2, 3}, {0, 4, 5}});
  plan.values[0].place = Place::argument;
  plan.values[3].place = Place::result;  // in the buffer that the first launch reads
  plan.arguments = {0}, plan.results = {3}, plan.donor = {0};
  EXPECT_EQ(order_of(plan), (std::vector<int>{1, 3, 5}));
  plan.donor = {-1};
  EXPECT_EQ(order_of(plan), (std::vector<int>{3, 1, -5}));
}

TEST(Plan, ReadsItselfBack) {
  Plan plan;
  plan.name = "step";
  plan.values = {{Place::argument, 0, 64, 0, "tensor<16xf32>", 0, 1},
                 {Place::result, 0, 64, 0, "tensor<16xf32>", 0, 1}};
  plan.arguments = {0};
  plan.results = {1};
  plan.donor = {0};
  plan.kernels = {{"ab", "scale_ab", "scale", "pointwise"}};
  PlanLaunch launch;
  launch.kernel = 0;
  launch.values = {0, 1, -1};
  launch.parameters = {1, 2, -3};
  launch.tasks = 1;
  launch.joins = true;
  launch.reads = 1;
  launch.writes = {{1, 1, 16, false}};
  launch.checks = {{0, 5, 1, 1}};
  launch.error_words = 2;
  launch.ops = {1};
  plan.launches = {launch};
  plan.remarks = {{"fusion", "separate-kernels", true, {1}, 0, "", "no space holds both", "fuse"}};
  plan.constants = std::string("\x00\xff\x7f", 3);
  plan.arena_bytes = 128;
  Plan back = Plan::from_json(plan.to_json());
  EXPECT_EQ(back.to_json(), plan.to_json());
  EXPECT_EQ(back.constants, plan.constants);
  EXPECT_EQ(back.str(), plan.str());
  back = read_stored_plan(stored_plan(plan));
  EXPECT_EQ(back.to_json(), plan.to_json());
}

TEST(Plan, RefusesOtherText) {
  EXPECT_THROW(Plan::from_json("{}"), InternalError);
  EXPECT_THROW(Plan::from_json("not json"), InternalError);
  for (const char* text : {"", "{}", "2", "2\n{", "2\n{}"}) EXPECT_THROW(read_stored_plan(text), InternalError) << text;
}

// Three layers of one shape: their tables of offsets are kept once.
TEST(Plan, KeepsEqualTablesOnce) {
  auto layers = compile([](Tensor x, Tensor a, Tensor b, Tensor c) { return matmul(matmul(matmul(x, a), b), c); });
  const Tensor square = full({48, 48}, 0.5);
  layers(square, square, square, square).eval();
  const Plan plan = Plan::from_json(layers.text("plan.json"));
  EXPECT_EQ(std::ranges::count(plan.values, "table", &PlanValue::type), 1) << plan.str();
  const auto products = std::ranges::count_if(plan.launches, [&](const PlanLaunch& launch) {
    return plan.kernels[static_cast<size_t>(launch.kernel)].kind == "contract";
  });
  EXPECT_EQ(products, 3) << plan.str();
}

}  // namespace
}  // namespace tessera::codegen
