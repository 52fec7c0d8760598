#pragma once
// Sums over a K of which each block of a pair has a part: a block sends what it has of the columns that the other keeps, and
// adds what it is sent to those that it keeps.

#include "fragment.cuh"

namespace tessera {

// Room for what a warpgroup is sent of N columns, once in the life of the kernel: so nobody has to say that what lay there was
// read, and a block may end when it has what it was sent. The kernel begins with publish_barriers_ahead.
template <int N>
struct Halves {
  static constexpr int registers = N / 2;

  float4 sent[registers / 4][128];  // in the order of registers and threads
  Barrier full;

  TESSERA_DEVICE void init() {
    if (threadIdx.x == 0) full.init(1), full.arrive_expecting(sizeof sent);
  }

  // By all threads of a warpgroup, and of the same one of the other block: block 0 keeps the first half of the columns.
  // What block 0 has is the first term of each sum.
  TESSERA_DEVICE Fragment<N> add(const Fragment<2 * N>& sums) {
    const int rank = cluster_rank();
    cluster_wait();  // the other block's `full` can count
#pragma unroll
    for (int i = 0; i < registers; i += 4) {
      float others[4];
#pragma unroll
      for (int k = 0; k < 4; ++k) others[k] = rank == 0 ? sums.v[registers + i + k] : sums.v[i + k];
      send(&sent[i / 4][thread_of_warpgroup()], others, full, 1 - rank);
    }
    full.wait(0);
    Fragment<N> whole;
#pragma unroll
    for (int i = 0; i < registers; i += 4) {
      const float4 there = sent[i / 4][thread_of_warpgroup()];
      const float theirs[4] = {there.x, there.y, there.z, there.w};
#pragma unroll
      for (int k = 0; k < 4; ++k)
        whole.v[i + k] = rank == 0 ? sums.v[i + k] + theirs[k] : theirs[k] + sums.v[registers + i + k];
    }
    return whole;
  }
};

}  // namespace tessera
