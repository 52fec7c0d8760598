#include <tessera/codegen/plan/group_launches.h>

#include <algorithm>

#include <tessera/codegen/plan/lifetimes.h>

namespace tessera::codegen {
namespace {

constexpr int64_t most_bytes = 256 * 1024;  // of one launch: more keeps all threads busy by itself, and memory alive

struct Access {
  std::vector<int> reads, writes;  // storage, sorted
};

bool meet(const std::vector<int>& a, const std::vector<int>& b) {
  for (auto x = a.begin(), y = b.begin(); x != a.end() && y != b.end();) {
    if (*x == *y) return true;
    *x < *y ? ++x : ++y;
  }
  return false;
}

bool independent(const Access& a, const Access& b) {
  return !meet(a.writes, b.writes) && !meet(a.writes, b.reads) && !meet(a.reads, b.writes);
}

Access access_of(const Plan& plan, const PlanLaunch& launch) {
  Access access;
  for (size_t k = 0; k < launch.values.size(); ++k) {
    if (launch.values[k] < 0) continue;
    (static_cast<int>(k) < launch.reads ? access.reads : access.writes).push_back(memory_of(plan, launch.values[k]));
  }
  std::sort(access.reads.begin(), access.reads.end());
  std::sort(access.writes.begin(), access.writes.end());
  return access;
}

const std::string& kind_of(const Plan& plan, const PlanLaunch& launch) {
  return plan.kernels[static_cast<size_t>(launch.kernel)].kind;
}

bool may_join(const PlanLaunch& launch) { return launch.what == PlanLaunch::What::kernel && launch.error_words == 0; }

bool is_small(const Plan& plan, const PlanLaunch& launch) {
  if (!may_join(launch)) return false;
  const std::string& kind = kind_of(plan, launch);
  int64_t bytes = 0;
  for (int value : launch.values) bytes += value < 0 ? 0 : plan.values[static_cast<size_t>(value)].bytes;
  return (kind == "pointwise" || kind == "row") && bytes <= most_bytes;
}

}  // namespace

void group_launches(Plan& plan, Neighbours neighbours) {
  std::vector<PlanLaunch>& launches = plan.launches;
  std::vector<Access> accesses;
  for (const PlanLaunch& launch : launches) accesses.push_back(access_of(plan, launch));
  // From the last: those that follow have found their places, so that a whole group moves on as it grows.
  for (size_t k = launches.size(); k-- > 0;) {
    // Nothing lives longer for a neighbour.
    const bool joins_neighbour = neighbours == Neighbours::of_any_size && k + 1 < launches.size() &&
                                 may_join(launches[k]) && launches[k + 1].kernel == launches[k].kernel &&
                                 may_join(launches[k + 1]) &&
                                 (kind_of(plan, launches[k]) == "pointwise" || kind_of(plan, launches[k]) == "row");
    if (!joins_neighbour && !is_small(plan, launches[k])) continue;
    size_t partner = k + 1;
    while (partner < launches.size() && launches[partner].kernel != launches[k].kernel &&
           independent(accesses[k], accesses[partner]))
      ++partner;
    if (partner == launches.size() || launches[partner].kernel != launches[k].kernel) continue;
    bool free = joins_neighbour || is_small(plan, launches[partner]);
    size_t last = partner;  // of the partner's group
    while (last + 1 < launches.size() && launches[last + 1].joins) ++last;
    for (size_t other = partner; other <= last; ++other) free &= independent(accesses[k], accesses[other]);
    if (!free) continue;
    launches[partner].joins = true;
    auto to = static_cast<std::ptrdiff_t>(partner), from = static_cast<std::ptrdiff_t>(k);
    std::rotate(launches.begin() + from, launches.begin() + from + 1, launches.begin() + to);
    std::rotate(accesses.begin() + from, accesses.begin() + from + 1, accesses.begin() + to);
  }
}

}  // namespace tessera::codegen
