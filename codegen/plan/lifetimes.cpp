#include <tessera/codegen/plan/lifetimes.h>

#include <algorithm>

#include <tessera/codegen/plan/arena.h>

namespace tessera::codegen {

void keep_arguments_until_checked(Plan& plan) {
  bool checked = false;
  for (size_t k = plan.launches.size(); k-- > 0;) {
    const PlanLaunch& one = plan.launches[k];
    checked |= !one.checks.empty();
    if (!checked) continue;
    for (int value : one.values) {
      if (value < 0 || plan.values[static_cast<size_t>(value)].place != Place::result) continue;
      plan.donor[static_cast<size_t>(plan.values[static_cast<size_t>(value)].number)] = -1;
    }
  }
}

void keep_arguments_until_read(Plan& plan) {
  std::vector<bool> is_begun(plan.donor.size(), false);
  std::vector<int> replaced_by(plan.values.size(), -1);  // of arguments: which result takes their memory
  for (size_t number = 0; number < plan.donor.size(); ++number)
    if (const int donor = plan.donor[number]; donor >= 0)
      replaced_by[static_cast<size_t>(plan.arguments[static_cast<size_t>(donor)])] = static_cast<int>(number);
  for (const PlanLaunch& launch : plan.launches) {
    for (int k = 0; k < launch.reads; ++k) {
      const int value = launch.values[static_cast<size_t>(k)];
      const int number = value < 0 ? -1 : replaced_by[static_cast<size_t>(value)];
      if (number >= 0 && is_begun[static_cast<size_t>(number)]) plan.donor[static_cast<size_t>(number)] = -1;
    }
    for (size_t k = static_cast<size_t>(launch.reads); k < launch.values.size(); ++k) {
      if (launch.values[k] < 0) continue;
      const PlanValue& value = plan.values[static_cast<size_t>(launch.values[k])];
      if (value.place == Place::result) is_begun[static_cast<size_t>(value.number)] = true;
    }
  }
}

int memory_of(const Plan& plan, int value) {
  const PlanValue& facts = plan.values[static_cast<size_t>(value)];
  const int donor = facts.place == Place::result ? plan.donor[static_cast<size_t>(facts.number)] : -1;
  return donor >= 0 ? plan.arguments[static_cast<size_t>(donor)] : value;
}

void place_arena(Plan& plan) {
  auto& values = plan.values;
  std::vector<bool> seen(values.size(), false);
  const auto& launches = plan.launches;
  for (size_t begin = 0, end; begin < launches.size(); begin = end) {
    for (end = begin + 1; end < launches.size() && launches[end].joins;) ++end;
    for (size_t k = begin; k < end; ++k) {
      for (int value : launches[k].values) {
        if (value < 0) continue;
        PlanValue& facts = values[static_cast<size_t>(value)];
        if (!seen[static_cast<size_t>(value)]) facts.first = static_cast<int>(begin);
        seen[static_cast<size_t>(value)] = true;
        facts.last = static_cast<int>(end) - 1;
      }
    }
  }
  std::vector<Interval> intervals;
  std::vector<size_t> of;
  for (size_t k = 0; k < values.size(); ++k) {
    if (values[k].place != Place::arena) continue;
    intervals.push_back({values[k].first, values[k].last, values[k].bytes});
    of.push_back(k);
  }
  plan.arena_bytes = place_intervals(intervals);
  plan.peak_bytes = peak_live(intervals);
  for (size_t k = 0; k < of.size(); ++k) values[of[k]].offset = intervals[k].offset;
}

}  // namespace tessera::codegen
