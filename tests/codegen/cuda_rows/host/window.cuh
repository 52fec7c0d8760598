#pragma once
// Stands in for device/window.cuh.

#include "tma.cuh"

namespace tessera {

// Calls f as walk_box does, for the pixels from `at` on, each read so far from where it is.
template <class F> void walk_window(const TensorMap& map, u32 address, std::vector<int> at, std::vector<int> tap, F f) {
  const int dims = map.rank - 2, last = map.rank - 1;
  if (static_cast<int>(at.size()) != map.rank || static_cast<int>(tap.size()) != dims || map.steps[0] == 0)
    __builtin_trap();
  for (int r = 0; r < map.lines(); ++r) {
    for (int c = 0; c < 64; ++c) {
      bool inside = at[0] + c < map.extents[0] && at[last] < map.extents[last];
      unsigned char* element = map.base + 2 * (at[0] + c) + at[last] * map.strides[last];
      for (int d = 0; d < dims; ++d) {
        const int x = at[d + 1] + tap[d];
        inside &= x >= 0 && x < map.extents[d + 1];
        element += x * map.strides[d + 1];
      }
      f(inside ? element : nullptr, swizzled(address + static_cast<u32>(r * 128 + c * 2)));
    }
    int d = 0;  // the next pixel
    for (; d < dims; ++d) {
      at[d + 1] += map.steps[d];
      if (at[d + 1] <= map.extents[d + 1] - 1 + map.upper[d]) break;
      at[d + 1] = map.lower[d];
    }
    if (d == dims) ++at[last];
  }
}

inline void load_box(const TensorMap& map, u32 to, u32 barrier, int rank, std::vector<int> at, std::vector<int> tap) {
  land_later(map, barrier, rank, [=, &map](auto visit) { walk_window(map, to, at, tap, visit); });
}

// Coordinates, then offsets.
template <int cluster, int dims, class Part>
void load_pixels(const Part& to, const TensorMap& map, const Slot& slot, std::vector<int> at, const int (&tap)[dims]) {
  static_assert(Part::columns == Part::line, "one column block");
  const std::vector<int> taps(tap, tap + dims);
  for (int k = 0; k < cluster; ++k)
    load_box(map, to.address(), shared_address(&slot.full), cluster == 1 ? tessera_host_block->rank : k, at, taps);
}

template <class Part>
void load_window(const Part& to, const TensorMap& map, const Slot& slot, int c, int x, int n, const int (&tap)[1]) {
  load_pixels<1>(to, map, slot, {c, x, n}, tap);
}
template <class Part>
void load_window(const Part& to, const TensorMap& map, const Slot& slot, int c, int x, int y, int n,
                 const int (&tap)[2]) {
  load_pixels<1>(to, map, slot, {c, x, y, n}, tap);
}
template <class Part>
void load_window(const Part& to, const TensorMap& map, const Slot& slot, int c, int x, int y, int z, int n,
                 const int (&tap)[3]) {
  load_pixels<1>(to, map, slot, {c, x, y, z, n}, tap);
}
template <int cluster, class Part>
void load_window_to_all(const Part& to, const TensorMap& map, const Slot& slot, int c, int x, int n,
                        const int (&tap)[1]) {
  load_pixels<cluster>(to, map, slot, {c, x, n}, tap);
}
template <int cluster, class Part>
void load_window_to_all(const Part& to, const TensorMap& map, const Slot& slot, int c, int x, int y, int n,
                        const int (&tap)[2]) {
  load_pixels<cluster>(to, map, slot, {c, x, y, n}, tap);
}
template <int cluster, class Part>
void load_window_to_all(const Part& to, const TensorMap& map, const Slot& slot, int c, int x, int y, int z, int n,
                        const int (&tap)[3]) {
  load_pixels<cluster>(to, map, slot, {c, x, y, z, n}, tap);
}

}  // namespace tessera
