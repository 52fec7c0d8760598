#pragma once
// What all engines of products share: the loop over K, and a tile of sums in shared memory.

#include "async.cuh"

namespace tessera {

// `load(slot, step)` begins to bring the operands of a step, `multiply(slot)` adds its products; `stages` slots go round.
template <int stages, class Load, class Multiply>
TESSERA_DEVICE void walk_k(int steps, Load load, Multiply multiply) {
#pragma unroll
  for (int s = 0; s < stages - 1; ++s) {
    if (s < steps) load(s, s);
    end_group();
  }
#pragma unroll 1
  for (int step = 0; step < steps; ++step) {
    wait_for_groups<stages - 2>();
    __syncthreads();  // this step has landed, and everybody is done with the slot that is loaded next
    const int ahead = step + stages - 1;
    if (ahead < steps) load(ahead % stages, ahead);
    end_group();
    multiply(step % stages);
  }
  wait_for_groups<0>();
  __syncthreads();
}

// The finished sums of a block, from which the epilogue takes neighbours along N.
template <class T, int row_count, int column_count> struct SumTile {
  static constexpr int pitch = column_count + 32 / int(sizeof(T));  // lines begin in other banks
  alignas(16) T values[row_count * pitch];
  TESSERA_DEVICE T* address(int row, int column) { return values + row * pitch + column; }
};

template <class Shared, class Sums> constexpr int shared_bytes = int(sizeof(Shared) > sizeof(Sums) ? sizeof(Shared) : sizeof(Sums));

}  // namespace tessera
