#pragma once
// Reductions across threads, in an order that the shape alone decides. All threads of the row get the result.

#include "core.cuh"
#include "scalar.cuh"
#include "vector.cuh"

namespace tessera {

struct Sum {
  template <class T> static TESSERA_DEVICE T of(T x, T y) { return x + y; }
  static TESSERA_DEVICE int of(int x, int y) { return wrapping_add(x, y); }
  static TESSERA_DEVICE i64 of(i64 x, i64 y) { return wrapping_add(x, y); }
  static TESSERA_DEVICE bool of(bool x, bool y) { return x || y; }
};
struct Product {
  template <class T> static TESSERA_DEVICE T of(T x, T y) { return x * y; }
  static TESSERA_DEVICE int of(int x, int y) { return wrapping_mul(x, y); }
  static TESSERA_DEVICE i64 of(i64 x, i64 y) { return wrapping_mul(x, y); }
  static TESSERA_DEVICE bool of(bool x, bool y) { return x && y; }
};
struct Max {
  template <class T> static TESSERA_DEVICE T of(T x, T y) { return maximum(x, y); }
};
struct Min {
  template <class T> static TESSERA_DEVICE T of(T x, T y) { return minimum(x, y); }
};

template <class T> TESSERA_DEVICE T of_lane_across(T x, int distance) {
  return __shfl_xor_sync(0xffffffff, x, distance);
}
template <> TESSERA_DEVICE bool of_lane_across(bool x, int distance) {
  return __shfl_xor_sync(0xffffffff, static_cast<int>(x), distance) != 0;
}
template <> TESSERA_DEVICE i8 of_lane_across(i8 x, int distance) {
  return static_cast<i8>(__shfl_xor_sync(0xffffffff, static_cast<int>(x), distance));
}
template <> TESSERA_DEVICE i16 of_lane_across(i16 x, int distance) {
  return static_cast<i16>(__shfl_xor_sync(0xffffffff, static_cast<int>(x), distance));
}

// `lanes` side by side hold the row, a whole warp or a part of it. Both lanes of a pair compute the same: the operations
// commute.
template <class How, int lanes, class T> TESSERA_DEVICE T across_lanes(T x) {
#pragma unroll
  for (int distance = lanes / 2; distance > 0; distance /= 2) x = How::of(x, of_lane_across(x, distance));
  return x;
}
template <class How, class T> TESSERA_DEVICE T across_warp(T x) { return across_lanes<How, 32>(x); }

// The block, or a group of its warps, holds the row: warps meet in `slots`, one for each, which no other reduction uses
// before the next barrier.
// Several reductions share a barrier: each is left, then all wait, then each is taken.
template <class How, int warps, class T> TESSERA_DEVICE void leave(T x, T (&slots)[warps]) {
  x = across_warp<How>(x);
  if (threadIdx.x % 32 == 0) slots[threadIdx.x / 32 % warps] = x;
}
template <class How, int warps, class T> TESSERA_DEVICE T taken(const T (&slots)[warps]) {
  T x = slots[0];
#pragma unroll
  for (int warp = 1; warp < warps; ++warp) x = How::of(x, slots[warp]);
  return x;
}
template <class How, int warps, class T> TESSERA_DEVICE T across_block(T x, T (&slots)[warps]) {
  leave<How>(x, slots);
  __syncthreads();
  return taken<How>(slots);
}

// Each lane holds a row of its own, and warps hold parts of it.
template <class How, int warps, class T> TESSERA_DEVICE T across_warps(T x, T (&slots)[warps][32]) {
  slots[threadIdx.x / 32][threadIdx.x % 32] = x;
  __syncthreads();
  x = slots[0][threadIdx.x % 32];
#pragma unroll
  for (int warp = 1; warp < warps; ++warp) x = How::of(x, slots[warp][threadIdx.x % 32]);
  return x;
}

// Neighbours that `lanes` side by side have of a row: with fewer than 32 a warp holds several rows. All rows of the block.
template <class How, int warps, int lanes, class T, int width>
TESSERA_DEVICE Vector<T, width> across_rows(Vector<T, width> x, Vector<T, width> (&slots)[warps][lanes]) {
#pragma unroll
  for (int distance = 16; distance >= lanes; distance /= 2)
#pragma unroll
    for (int i = 0; i < width; ++i) x[i] = How::of(x[i], of_lane_across(x[i], distance));
  if (threadIdx.x % 32 < lanes) slots[threadIdx.x / 32][threadIdx.x % 32] = x;
  __syncthreads();
  x = slots[0][threadIdx.x % lanes];
#pragma unroll
  for (int warp = 1; warp < warps; ++warp)
#pragma unroll
    for (int i = 0; i < width; ++i) x[i] = How::of(x[i], slots[warp][threadIdx.x % lanes][i]);
  return x;
}

// Groups of threads side by side have the same neighbours of a row. They meet in `slots`, which may be used again and again.
template <class How, int groups, int threads, class T, int width>
TESSERA_DEVICE Vector<T, width> across_groups(const Vector<T, width>& x, void* slots) {
  auto& all = *static_cast<Vector<T, width>(*)[groups][threads]>(slots);
  const int t = static_cast<int>(threadIdx.x) % threads;
  __syncthreads();
  all[static_cast<int>(threadIdx.x) / threads][t] = x;
  __syncthreads();
  Vector<T, width> sum = all[0][t];
#pragma unroll
  for (int group = 1; group < groups; ++group)
#pragma unroll
    for (int i = 0; i < width; ++i) sum[i] = How::of(sum[i], all[group][t][i]);
  return sum;
}

}  // namespace tessera
