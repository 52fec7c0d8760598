// The arena planner's promises, and plans through JSON.

#include <random>

#include <gtest/gtest.h>

#include <tessera/codegen/plan/arena.h>
#include <tessera/codegen/plan/plan.h>
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
  launch.reads = 1;
  launch.writes = {{1, 1, false}};
  launch.checks = {{0, 5, 1, 1}};
  launch.error_words = 2;
  launch.ops = {1};
  plan.launches = {launch};
  plan.missed = {{1, 0, "no space holds both"}};
  plan.constants = std::string("\x00\xff\x7f", 3);
  plan.arena_bytes = 128;
  Plan back = Plan::from_json(plan.to_json());
  EXPECT_EQ(back.to_json(), plan.to_json());
  EXPECT_EQ(back.constants, plan.constants);
  EXPECT_EQ(back.str(), plan.str());
}

TEST(Plan, RefusesOtherText) {
  EXPECT_THROW(Plan::from_json("{}"), InternalError);
  EXPECT_THROW(Plan::from_json("not json"), InternalError);
}

}  // namespace
}  // namespace tessera::codegen
