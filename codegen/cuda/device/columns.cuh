#pragma once
// Values that belong to the columns of a tile of sums, as a bias does. A warpgroup brings them to shared memory before it
// multiplies, and has those of 32 columns at hand, in registers, while it finishes their sums: read from global memory
// there, they would be waited for, and asked for early enough they would not fit beside the sums.

#include "core.cuh"
#include "barrier.cuh"
#include "vector.cuh"

namespace tessera {

// Of N columns. Lanes l, l + 4, … of a warp have columns 2 l and 2 l + 1 of every eight (fragment.cuh), and find theirs
// one after the other.
template <class T, int N>
struct alignas(16) ColumnValues {
  Vector<T, 2> pairs[N / 32][4][4];

  // By all threads of the warpgroup; `left` columns are there.
  TESSERA_DEVICE void bring(const T* from, int left) {
    warpgroup_sync();  // the slowest warp has read those of the tile before
    for (int column = thread_of_warpgroup(); column < N; column += 128)
      pairs[column / 32][column % 8 / 2][column % 32 / 8][column % 2] = column < left ? from[column] : T{};
    warpgroup_sync();
  }
  // The same of columns that are dealt, each in its place.
  TESSERA_DEVICE void bring_dealt(const T* from, int left) {
    warpgroup_sync();
    for (int column = thread_of_warpgroup(); column < N; column += 128)
      pairs[column / 32][column % 32 / 8][column % 8 / 2][column % 2] = column < left ? from[column] : T{};
    warpgroup_sync();
  }
  // Eight of them, or four.
  template <int width = 8> TESSERA_DEVICE Vector<T, width> at(int column) const { return load<width>(&pairs[0][0][0][0] + column); }
  // This thread's of 32 columns from `first` on.
  TESSERA_DEVICE void get(int first, Vector<T, 2> (&to)[4]) const {
    const Vector<T, 8> all = load<8>(&pairs[first / 32][lane() % 4][0][0]);
#pragma unroll
    for (int i = 0; i < 4; ++i) to[i] = {all[2 * i], all[2 * i + 1]};
  }
};

}  // namespace tessera
