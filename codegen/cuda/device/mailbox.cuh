#pragma once
// What the first and the last kernel of a run do. The host has left in a slot of its own memory what the run brings, and finds
// in another what the run leaves, so neither is a call of the driver. Slots follow each other in a ring, and the last kernel of
// each run counts, so no kernel of a graph is told which slot is its own.

#include "launch.cuh"
#include "publish.cuh"
#include "scalar.cuh"

namespace tessera {

struct Ring {
  i64 slots;
  const u64* runs;  // so many have ended

  // Slots are `stride` apart.
  template <class T> TESSERA_DEVICE T* slot(T* first, i64 stride) const {
    return first + static_cast<i64>(*runs % static_cast<u64>(slots)) * stride;
  }
};

// By all threads of the grid.
template <int threads> TESSERA_DEVICE void bring(uint4* to, const uint4* from, i64 count) {
  for (i64 i = static_cast<i64>(blockIdx.x) * threads + threadIdx.x; i < count;
       i += static_cast<i64>(gridDim.x) * threads)
    to[i] = from[i];
}

// Words about indices as they are where none is outside: the largest of such, then the smallest. By one block.
template <int threads> TESSERA_DEVICE void clear_errors(i64* errors, i64 count) {
  constexpr i64 largest = 0x7fffffffffffffffll;
  for (i64 i = threadIdx.x; i < count; i += threads) errors[i] = i % 2 ? largest : -largest - 1;
}

// Small results of up to `piece` bytes, from where the run has left them to where the host wants each. By one block, as all
// below.
template <int threads, int piece> TESSERA_DEVICE void hand_out(uint4* const* to, const uint4* from, i64 count) {
  constexpr int units = piece / sizeof(uint4);
  for (i64 i = threadIdx.x; i < count * units; i += threads) to[i / units][i % units] = from[i];
}

template <int threads> TESSERA_DEVICE void leave_errors(i64* to, const i64* errors, i64 count) {
  for (i64 i = threadIdx.x; i < count; i += threads) to[i] = errors[i];
}

// Behind all that the run leaves: its number, the first having 1.
TESSERA_DEVICE void end_run(u64* done, u64* runs) {
  __syncthreads();
  if (threadIdx.x != 0) return;
  const u64 run = *runs + 1;
  publish(done, run);
  *runs = run;
}

}  // namespace tessera
