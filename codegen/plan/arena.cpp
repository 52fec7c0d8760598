#include <tessera/codegen/plan/arena.h>
#include <tessera/core/fault.h>

#include <algorithm>
#include <numeric>

namespace tessera::codegen {
namespace {

int64_t rounded(int64_t bytes) { return (bytes + arena_alignment - 1) / arena_alignment * arena_alignment; }

struct Placed {
  int64_t offset, end;
  int first, last;
};

int64_t place_in_order(const std::vector<Interval>& intervals, const std::vector<size_t>& order,
                       std::vector<int64_t>& offsets) {
  const int apart = planted(Fault::live_slot_reused) ? 0 : 1;  // launches from the end of one to another in its place
  int64_t total = 0;
  std::vector<Placed> placed;  // by offset
  for (size_t k : order) {
    const auto [first, last, bytes, unknown] = intervals[k];
    const int64_t need = rounded(bytes);
    int64_t end = 0, best = -1, best_gap = INT64_MAX;
    for (const Placed& other : placed) {
      if (first >= other.last + apart || other.first >= last + apart) continue;
      const int64_t gap = other.offset - end;
      if (gap >= need && gap < best_gap) best = end, best_gap = gap;
      end = std::max(end, other.end);
    }
    const int64_t offset = offsets[k] = best >= 0 ? best : end;
    total = std::max(total, offset + need);
    auto behind = [](int64_t at, const Placed& other) { return at < other.offset; };
    placed.insert(std::upper_bound(placed.begin(), placed.end(), offset, behind), {offset, offset + need, first, last});
  }
  return total;
}

}  // namespace

int64_t place_intervals(std::vector<Interval>& intervals) {
  std::vector<size_t> order(intervals.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::vector<int64_t> by_time(intervals.size()), by_size(intervals.size());
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return intervals[a].first < intervals[b].first; });
  int64_t time_total = place_in_order(intervals, order, by_time);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return intervals[a].bytes > intervals[b].bytes; });
  int64_t size_total = place_in_order(intervals, order, by_size);
  const auto& better = size_total <= time_total ? by_size : by_time;
  for (size_t k = 0; k < intervals.size(); ++k) intervals[k].offset = better[k];
  return std::min(size_total, time_total);
}

int64_t peak_live(const std::vector<Interval>& intervals) {
  std::vector<std::pair<int, int64_t>> changes;
  for (const Interval& interval : intervals) {
    changes.emplace_back(interval.first, rounded(interval.bytes));
    changes.emplace_back(interval.last + 1, -rounded(interval.bytes));
  }
  std::sort(changes.begin(), changes.end());  // what ends before a launch goes first: its bytes are negative
  int64_t live = 0, peak = 0;
  for (auto [when, bytes] : changes) peak = std::max(peak, live += bytes);
  return peak;
}

}  // namespace tessera::codegen
