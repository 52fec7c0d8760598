#include <tessera/codegen/plan/wait_for.h>

#include <algorithm>

#include <tessera/codegen/plan/lifetimes.h>

namespace tessera::codegen {
namespace {

struct Range {
  int space = 0;  // the arena, or an argument's or result's memory
  int64_t begin = 0, end = 0;
};

struct Touched {
  std::vector<Range> reads, writes;
};

constexpr int arena = -1;

Touched touched_by(const Plan& plan, const PlanLaunch& launch) {
  Touched touched;
  for (size_t k = 0; k < launch.values.size(); ++k) {
    if (launch.values[k] < 0) continue;
    const PlanValue& value = plan.values[static_cast<size_t>(launch.values[k])];
    if (value.place == Place::constant) continue;  // never written
    const Range range = value.place == Place::arena ? Range{arena, value.offset, value.offset + value.bytes}
                                                    : Range{memory_of(plan, launch.values[k]), 0, value.bytes};
    (static_cast<int>(k) < launch.reads ? touched.reads : touched.writes).push_back(range);
  }
  return touched;
}

bool meet(const std::vector<Range>& a, const std::vector<Range>& b) {
  return std::ranges::any_of(a, [&](const Range& x) {
    return std::ranges::any_of(
        b, [&](const Range& y) { return x.space == y.space && x.begin < y.end && y.begin < x.end; });
  });
}

}  // namespace

std::vector<std::vector<size_t>> launches_to_wait_for(const Plan& plan) {
  const size_t count = plan.launches.size();
  std::vector<Touched> touched;
  for (const PlanLaunch& launch : plan.launches) touched.push_back(touched_by(plan, launch));
  std::vector<std::vector<size_t>> waits(count);
  std::vector<std::vector<bool>> behind(count, std::vector<bool>(count, false));  // [k][i]: k comes after i for sure
  for (size_t k = 0; k < count; ++k) {
    for (size_t i = k; i-- > 0;) {
      if (behind[k][i]) continue;
      const Touched &later = touched[k], &earlier = touched[i];
      if (!meet(later.reads, earlier.writes) && !meet(later.writes, earlier.writes) &&
          !meet(later.writes, earlier.reads))
        continue;
      waits[k].push_back(i);
      behind[k][i] = true;
      for (size_t j = 0; j < i; ++j)
        if (behind[i][j]) behind[k][j] = true;
    }
  }
  return waits;
}

}  // namespace tessera::codegen
