#pragma once
// How threads and copies wait for each other: barriers in shared memory that also count bytes, and named barriers
// between warpgroups of one block.

#include "core.cuh"

namespace tessera {

TESSERA_DEVICE u32 shared_address(const void* p) { return static_cast<u32>(__cvta_generic_to_shared(p)); }

// A barrier whose phase ends when the expected arrivals and bytes have come. Phases alternate in parity; a fresh one
// counts as if a phase of parity 1 had just ended.
struct Barrier {
  u64 state;

  TESSERA_DEVICE void init(int arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(this)), "r"(arrivals) : "memory");
  }
  TESSERA_DEVICE void arrive() {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(this)) : "memory");
  }
  // Arrives at the barrier that lies at the same place in block `rank` of the cluster. It tells that mma has read a
  // buffer, which needs no order among ordinary stores: `.release.cluster` would wait for all of the thread's, in the
  // main loop.
  TESSERA_DEVICE void arrive_at(int rank) {
    asm volatile(
        "{ .reg .b32 remote;\n"
        "mapa.shared::cluster.u32 remote, %0, %1;\n"
        "mbarrier.arrive.shared::cluster.b64 _, [remote]; }" ::"r"(shared_address(this)),
        "r"(rank)
        : "memory");
  }
  // Arrives, and lets the phase wait for so many bytes of copies too.
  TESSERA_DEVICE void arrive_expecting(u32 bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(this)), "r"(bytes)
                 : "memory");
  }
  TESSERA_DEVICE void wait(u32 parity) {
    u32 done = 0;
    while (!done)
      asm volatile(
          "{ .reg .pred done;\n"
          "mbarrier.try_wait.parity.shared::cta.b64 done, [%1], %2, 0x989680;\n"
          "selp.u32 %0, 1, 0, done; }"
          : "=r"(done)
          : "r"(shared_address(this)), "r"(parity)
          : "memory");
  }
};

// ---- clusters: blocks that share a barrier domain and can write each other's shared memory ----

TESSERA_DEVICE int cluster_rank() {
  u32 rank;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return static_cast<int>(rank);
}
// Four values to the place of `to` in block `rank`, counted by the barrier at the place of `full` there.
TESSERA_DEVICE void send(const float4* to, const float (&x)[4], const Barrier& full, int rank) {
  asm volatile(
      "{ .reg .b32 there, counted;\n"
      "mapa.shared::cluster.u32 there, %0, %6;\n"
      "mapa.shared::cluster.u32 counted, %5, %6;\n"
      "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v4.f32 [there], {%1, %2, %3, %4}, [counted]; }" ::"r"(
          shared_address(to)),
      "f"(x[0]), "f"(x[1]), "f"(x[2]), "f"(x[3]), "r"(shared_address(&full)), "r"(rank)
      : "memory");
}
// By all threads of all blocks of the cluster, once; then by those that want to know that all have arrived.
TESSERA_DEVICE void cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
TESSERA_DEVICE void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }
TESSERA_DEVICE void cluster_sync() { cluster_arrive(), cluster_wait(); }

// Makes the barriers that thread 0 has initialised visible to all threads, copies and blocks of the cluster.
template <int cluster>
TESSERA_DEVICE void publish_barriers() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  if (cluster > 1) cluster_sync();
  else __syncthreads();
}

// The same where other blocks touch none of them before they have waited for this one (cluster_wait).
TESSERA_DEVICE void publish_barriers_ahead() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  cluster_arrive();
  __syncthreads();
}

// What this thread's warpgroup wrote becomes visible to copies and mma; every writer calls it, then a barrier follows.
TESSERA_DEVICE void publish_shared() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// ---- named barriers: 1, 2, … belong to warpgroups by themselves, 8, 9, … to those that take turns ----

// The same for groups of any warps in a block without warpgroups: 1 belongs to the first.
template <int threads>
TESSERA_DEVICE void group_sync(int group) {
  asm volatile("bar.sync %0, %1;" ::"r"(1 + group), "n"(threads) : "memory");
}
TESSERA_DEVICE void warpgroup_sync() { asm volatile("bar.sync %0, 128;" ::"r"(1 + warpgroup()) : "memory"); }

// Lets the last `count` warpgroups of the block pass a stretch of code one after the other, round after round.
template <int count>
struct Turns {
  int mine;  // 0 … count - 1

  TESSERA_DEVICE explicit Turns(int index) : mine(index) {
    if (index == count - 1) pass();  // the first round opens with warpgroup 0
  }
  TESSERA_DEVICE void wait() { asm volatile("bar.sync %0, 256;" ::"r"(8 + mine) : "memory"); }
  TESSERA_DEVICE void pass() { asm volatile("bar.arrive %0, 256;" ::"r"(8 + (mine + 1) % count) : "memory"); }
};

}  // namespace tessera
