#pragma once
// Stands in for device/barrier.cuh: barriers as numbers. A wait tells even phases from odd ones, as the device's does.

#include "shared_memory.cuh"

namespace tessera {

inline u32 shared_address(const void* p) { return static_cast<u32>(static_cast<const unsigned char*>(p) - shared_at(0)); }

// What lands in a barrier's phase lands when somebody waits for it, and not before.
struct Barrier;
void land_boxes(const Barrier& at);

struct Barrier {
  int expected, arrived, phase;
  long long bytes;  // that are still to come

  void init(int arrivals) { expected = arrivals, arrived = phase = 0, bytes = 0; }
  void step() {
    if (arrived == expected && bytes == 0) ++phase, arrived = 0;
  }
  void arrive() { ++arrived, step(); }
  void arrive_at(int rank) { reinterpret_cast<Barrier*>(shared_at(shared_address(this), rank))->arrive(); }
  void arrive_expecting(u32 more) { bytes += more, arrive(); }
  void landed(u32 some) { bytes -= some, step(); }
  void wait(u32 parity) {
    land_boxes(*this);
    while (static_cast<u32>(phase & 1) == parity) {
      tessera_host_block->yield();
      land_boxes(*this);
    }
  }
};

inline int cluster_rank() { return tessera_host_block->rank; }

// Barriers with names: threads that came, and rounds that are over.
struct HostMeeting {
  int came = 0, rounds = 0;
  void arrive(int all) {
    if (++came == all) came = 0, ++rounds;
  }
  void sync(int all) {
    const int before = rounds;
    arrive(all);
    while (rounds == before) tessera_host_block->yield();
  }
};
// A block starts with all of them open: zeros.
extern "C" {
__attribute__((visibility("default"), used)) inline HostMeeting tessera_meetings[2 * (16 + 8) + 1] = {};
}
inline HostMeeting& host_cluster = tessera_meetings[2 * (16 + 8)];
inline HostMeeting& host_named(int name) { return tessera_meetings[tessera_host_block->rank * 16 + name]; }
// Of the warps of a warpgroup that multiply together.
inline HostMeeting& host_multiplied(int warpgroup) { return tessera_meetings[2 * 16 + tessera_host_block->rank * 8 + warpgroup]; }

template <int cluster> void publish_barriers() {
  __syncthreads();
  if (cluster > 1 && threadIdx.x == 0) host_cluster.sync(cluster);
  __syncthreads();
}
// Of a block one thread arrives, and later waits for all.
inline void cluster_wait() {
  while (host_cluster.rounds == 0) tessera_host_block->yield();
}
inline void publish_barriers_ahead() {
  __syncthreads();
  if (threadIdx.x == 0) host_cluster.arrive(2);
  __syncthreads();
}
inline void publish_shared() {}
template <int threads> void group_sync(int group) {
  host_named(1 + group).sync(threads);
}
inline void warpgroup_sync() { host_named(1 + warpgroup()).sync(128); }

template <int count> struct Turns {
  int mine;
  explicit Turns(int index) : mine(index) {
    if (index == count - 1) pass();
  }
  void wait() { host_named(8 + mine).sync(256); }
  void pass() { host_named(8 + (mine + 1) % count).arrive(256); }
};

}  // namespace tessera
