#pragma once
// Products by multiplications and additions of single values: every type, and the bits of f32.

#include "panel.cuh"
#include "sums.cuh"

namespace tessera {

TESSERA_DEVICE float multiply_add(float sum, float x, float y) { return fmaf(x, y, sum); }
TESSERA_DEVICE double multiply_add(double sum, double x, double y) { return fma(x, y, sum); }
template <class T> TESSERA_DEVICE T multiply_add(T sum, T x, T y) { return wrapping_add(sum, wrapping_mul(x, y)); }

// A tile of tile_m × tile_n sums, per_m × per_n in each thread.
template <class T, int tile_m, int tile_n, int per_m, int per_n> class FmaSums {
  static constexpr int down = tile_m / per_m, across = tile_n / per_n;  // threads
  T sums_[per_m][per_n] = {};

  TESSERA_DEVICE static int row(int i) { return static_cast<int>(threadIdx.x) / across + i * down; }
  TESSERA_DEVICE static int column(int j) { return static_cast<int>(threadIdx.x) % across + j * across; }

 public:
  template <class A, class B> TESSERA_DEVICE void add(const A& a, const B& b) {
#pragma unroll 4
    for (int k = 0; k < A::depth; ++k) {
      T x[per_m], y[per_n];
#pragma unroll
      for (int i = 0; i < per_m; ++i) x[i] = a.at(row(i), k);
#pragma unroll
      for (int j = 0; j < per_n; ++j) y[j] = b.at(column(j), k);
#pragma unroll
      for (int i = 0; i < per_m; ++i)
#pragma unroll
        for (int j = 0; j < per_n; ++j) sums_[i][j] = multiply_add(sums_[i][j], x[i], y[j]);
    }
  }

  // All threads of the block see the tile afterwards.
  TESSERA_DEVICE void put(SumTile<T, tile_m, tile_n>& to) const {
#pragma unroll
    for (int i = 0; i < per_m; ++i)
#pragma unroll
      for (int j = 0; j < per_n; ++j) *to.address(row(i), column(j)) = sums_[i][j];
    __syncthreads();
  }
};

}  // namespace tessera
