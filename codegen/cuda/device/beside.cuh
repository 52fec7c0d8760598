#pragma once
// Tensors that have a value for each sum, as the input of an activation has for its derivative. The copy engine brings
// them, 64 x 64 at a time, to the tiles through which results leave. A thread finds there what stands beside its sums, and
// what it computes goes to the same place. The first ones come while the warpgroup waits for its turn; a tile that has been
// stored takes what belongs to sums some rounds later.

#include "tma.cuh"

namespace tessera {

// Of one warpgroup: tells of each buffer whether what was asked for is there.
template <int buffers>
struct Arrivals {
  Barrier full[buffers];

  TESSERA_DEVICE void init() {
    if (threadIdx.x != 0) return;
    for (Barrier& one : full) one.init(1);
  }
};
template <int buffers, int warpgroups>
TESSERA_DEVICE void init(Arrivals<buffers> (&of_all)[warpgroups]) {
  for (Arrivals<buffers>& of_one : of_all) of_one.init();
}

// The warpgroup's end of it, over the whole life of the kernel. A round is one tile of the sums' columns, fragment by
// fragment; at `staging` lie `tiles` for each of `buffers`, of which the first `inputs` are brought.
template <int input_count, int tiles, int buffers>
struct Beside {
  static constexpr int inputs = input_count;
  Arrivals<buffers>& arrivals;
  u32 phases = 0;  // a bit for each buffer

  TESSERA_DEVICE explicit Beside(Arrivals<buffers>& a) : arrivals(a) {}

  // `bring(input, tile, slot, row, column)` asks for one tile, of N columns in all. By one thread.
  template <int N, class T, class Bring>
  TESSERA_DEVICE void ask(int round, const Tile<T, 64, 64>* staging, Bring& bring) {
    const int buffer = round % buffers;
    Barrier& full = arrivals.full[buffer];
    full.arrive_expecting(inputs * bytes_of<Tile<T, 64, 64>>);
#pragma unroll
    for (int k = 0; k < inputs; ++k)
      bring(k, staging[buffer * tiles + k], Slot{buffer, full}, round / (N / 64) * 64, round % (N / 64) * 64);
  }

  // What belongs to the first sums of `fragments` of N columns, once the stores of those before have left the buffers.
  template <int N, int fragments, class T, class Bring>
  TESSERA_DEVICE void begin(const Tile<T, 64, 64>* staging, Bring bring) {
    if (thread_of_warpgroup() != 0) return;
    store_wait_read<0>();
#pragma unroll
    for (int round = 0; round < min(buffers, N / 64 * fragments); ++round) ask<N>(round, staging, bring);
  }

  // Before the sums of `round` out of `rounds`, by all threads. A store may still read its tile while the next one is
  // computed; with few buffers there is no time for that.
  template <int N, class T, class Bring>
  TESSERA_DEVICE void wait(int round, int rounds, const Tile<T, 64, 64>* staging, Bring& bring) {
    constexpr int behind = buffers > 2 ? 2 : 1;
    if (round >= behind && round - behind + buffers < rounds && thread_of_warpgroup() == 0) {
      store_wait_read<behind - 1>();
      ask<N>(round - behind + buffers, staging, bring);
    }
    const int buffer = round % buffers;
    arrivals.full[buffer].wait(phases >> buffer & 1);
    phases ^= 1u << buffer;
  }
};

}  // namespace tessera
