#pragma once
// Stands in for device/tma.cuh. A box lands when its barrier is waited for; a store reads shared memory when its group is
// waited for: as late as they may.

#include <deque>
#include <functional>
#include <vector>

#include "channel.cuh"
#include "shared.cuh"

namespace tessera {

struct alignas(64) TensorMap {  // as the driver of tests writes it
  unsigned char* base;
  long long strides[5];  // in bytes
  int rank, extents[5], box[4];  // of a box lines, along each dim from the second on
  int lower[3], upper[3], steps[3];  // of a window; without one steps are 0
  int bytes;  // of an element; of 4 they are f32 and land rounded to tf32

  int lines() const { return box[0] * box[1] * box[2] * box[3]; }
};

template <class... Maps> void fetch_maps(const Maps&...) {}

struct HostBox {
  const Barrier* barrier;
  std::function<void()> land;
};
inline std::vector<HostBox> host_boxes;
inline void land_boxes(const Barrier& at) {
  std::vector<HostBox> others, mine;
  for (HostBox& box : host_boxes) (box.barrier == &at ? mine : others).push_back(std::move(box));
  host_boxes = std::move(others);
  for (HostBox& box : mine) box.land();
}

// In device/barrier.cuh: it lands as a box does.
inline void send(const float4* to, const float (&x)[4], const Barrier& full, int rank) {
  auto* counted = reinterpret_cast<Barrier*>(shared_at(shared_address(&full), rank));
  unsigned char* there = shared_at(shared_address(to), rank);
  host_boxes.push_back({counted, [counted, there, sent = float4{x[0], x[1], x[2], x[3]}] {
                          std::memcpy(there, &sent, sizeof sent);
                          counted->landed(sizeof sent);
                        }});
}

// Where 16 bytes lie that would be at `address` but for the swizzle.
inline u32 swizzled(u32 address) { return address ^ (address >> 7 & 7) << 4; }

// Calls f(element in memory or null, address in shared memory) for a box of lines of 128 bytes.
template <class F> void walk_box(const TensorMap& map, u32 address, std::vector<int> at, F f) {
  if (static_cast<int>(at.size()) != map.rank || map.steps[0] != 0) __builtin_trap();
  for (int r = 0; r < map.lines(); ++r)
    for (int c = 0; c < 128 / map.bytes; ++c) {
      unsigned char* element = map.base;
      bool inside = true;
      int line = r;
      for (unsigned d = 0; d < at.size(); ++d) {
        const long long x = at[d] + (d == 0 ? c : line % map.box[d - 1]);
        if (d > 0) line /= map.box[d - 1];
        inside &= x >= 0 && x < map.extents[d];
        element += x * (d == 0 ? map.bytes : map.strides[d]);
      }
      f(inside ? element : nullptr, swizzled(address + static_cast<u32>(r * 128 + c * map.bytes)));
    }
}

// To nearest, half ways to even, as a card was seen to do.
inline void round_to_tf32(unsigned char* at) {
  u32 bits;
  std::memcpy(&bits, at, sizeof bits);
  if ((bits & 0x7f800000) != 0x7f800000) bits = (bits + 0xfff + (bits >> 13 & 1)) & 0xffffe000;
  std::memcpy(at, &bits, sizeof bits);
}

// `walk` visits the elements of a box, as walk_box does.
template <class Walk> void land_later(const TensorMap& map, u32 barrier, int rank, Walk walk) {
  auto* full = reinterpret_cast<Barrier*>(shared_at(barrier, rank));
  host_boxes.push_back({full, [=, &map] {
                          walk([&](const unsigned char* element, u32 place) {
                            unsigned char* to = shared_at(place, rank);
                            if (element) std::memcpy(to, element, map.bytes);
                            else std::memset(to, 0, map.bytes);
                            if (map.bytes == 4) round_to_tf32(to);
                          });
                          full->landed(static_cast<u32>(map.lines() * 128));
                        }});
}

inline void load_box(const TensorMap& map, u32 to, u32 barrier, int rank, std::vector<int> at) {
  land_later(map, barrier, rank, [=, &map](auto visit) { walk_box(map, to, at, visit); });
}

template <class Part, class... More>
void load(const Part& to, const TensorMap& map, const Slot& slot, int x, More... more) {
  for (int block = 0; block < Part::columns / Part::line; ++block)
    load_box(map, to.address() + static_cast<u32>(block * Part::pitch * 128), shared_address(&slot.full),
             tessera_host_block->rank, {x + block * Part::line, more...});
}
template <int cluster, class Part, class... More>
void load_to_all(const Part& to, const TensorMap& map, const Slot& slot, int x, More... more) {
  for (int block = 0; block < Part::columns / Part::line; ++block)
    for (int rank = 0; rank < cluster; ++rank)
      load_box(map, to.address() + static_cast<u32>(block * Part::pitch * 128), shared_address(&slot.full), rank,
               {x + block * Part::line, more...});
}

struct HostStores {
  std::deque<std::vector<std::function<void()>>> groups;
  std::vector<std::function<void()>> open;
};
inline HostStores host_stores[2][1024];  // of each thread
inline HostStores& stores_of_thread() { return host_stores[tessera_host_block->rank][threadIdx.x]; }

template <class T, int rows, int columns, class... More>
void store(const TensorMap& map, const Tile<T, rows, columns>& from, int x, More... more) {
  for (int block = 0; block < columns / Tile<T, rows, columns>::line; ++block) {
    const u32 address = from.address() + static_cast<u32>(block * rows * 128);
    const int rank = tessera_host_block->rank;
    const std::vector<int> at{x + block * Tile<T, rows, columns>::line, more...};
    stores_of_thread().open.push_back([=, &map] {
      walk_box(map, address, at, [&](unsigned char* element, u32 place) {
        if (element) std::memcpy(element, shared_at(place, rank), 2);
      });
    });
  }
}
template <class... All>
void store_evict_first(const All&... all) {
  store(all...);
}
inline void store_commit() {
  stores_of_thread().groups.push_back(std::move(stores_of_thread().open));
  stores_of_thread().open.clear();
}
template <int pending> void store_wait_read() {
  auto& groups = stores_of_thread().groups;
  for (; groups.size() > pending; groups.pop_front())
    for (auto& store : groups.front()) store();
}

}  // namespace tessera
