#pragma once
// Where temporaries lie: intervals of launches to offsets in one arena.

#include <cstdint>
#include <vector>

namespace tessera::codegen {

struct Interval {
  int first = 0, last = 0;  // launches, both included
  int64_t bytes = 0;
  int64_t offset = 0;  // result
};

constexpr int64_t arena_alignment = 64;

// Greedy by size, largest first, each into the smallest gap that fits among those alive at the same time; compared
// with placing in order of first use, and the better of the two is kept. Returns the arena's bytes.
int64_t place_intervals(std::vector<Interval>& intervals);
// The most bytes alive at once: no arena can be smaller.
int64_t peak_live(const std::vector<Interval>& intervals);

}  // namespace tessera::codegen
