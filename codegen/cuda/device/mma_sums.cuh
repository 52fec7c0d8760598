#pragma once
// Products on tensor cores through mma.sync.

#include "mma.cuh"
#include "panel.cuh"
#include "sums.cuh"

namespace tessera {

// f32 in registers, for `down` × `across` tiles of 16 × 8 sums, K of 8.
template <int down, int across> struct F32Operands {
  float x[down][4], y[across][2];

  template <class A, class B> TESSERA_DEVICE void load(const A& a, int row, const B& b, int column, int k, int thread) {
    const int g = thread % 32 / 4, t = thread % 4;
#pragma unroll
    for (int j = 0; j < across; ++j)
#pragma unroll
      for (int r = 0; r < 2; ++r) y[j][r] = b.at(column + j * 8 + g, k + t + r * 4);
#pragma unroll
    for (int i = 0; i < down; ++i)
#pragma unroll
      for (int r = 0; r < 4; ++r) x[i][r] = a.at(row + i * 16 + g + r % 2 * 8, k + t + r / 2 * 4);
  }
};

// Sums from row and column on. Operands come to registers one piece of K ahead of their products.
template <class Product, int down, int across, class A, class B>
TESSERA_DEVICE void add_f32(float (&d)[down][across][4], const A& a, int row, const B& b, int column, int thread) {
  constexpr int depth = Product::depth;
  F32Operands<down, across> operands[2];
  operands[0].load(a, row, b, column, 0, thread);
#pragma unroll
  for (int i = 0; i < A::depth / depth; ++i) {
    if (i + 1 < A::depth / depth) operands[(i + 1) % 2].load(a, row, b, column, (i + 1) * depth, thread);
    Product::multiply(d, operands[i % 2]);
  }
}

// f32 as three products of what tensor cores take: x is a big part and a small one, and small · small is beneath f32.
struct Tf32x3 {
  static constexpr int depth = 8;
  // Tensor cores truncate their sums. So those of each step begin at nothing, and f32 adds them up, rounding to nearest.
  static constexpr bool starts_anew = true;

  template <int down, int across>
  TESSERA_DEVICE static void multiply(float (&d)[down][across][4], const F32Operands<down, across>& of) {
    float y_big[across][2], y_small[across][2];
#pragma unroll
    for (int j = 0; j < across; ++j)
#pragma unroll
      for (int r = 0; r < 2; ++r) split_tf32(of.y[j][r], y_big[j][r], y_small[j][r]);
#pragma unroll
    for (int i = 0; i < down; ++i) {
      float big[4], small[4];
#pragma unroll
      for (int r = 0; r < 4; ++r) split_tf32(of.x[i][r], big[r], small[r]);
#pragma unroll
      for (int j = 0; j < across; ++j) mma_tf32(d[i][j], small, y_big[j]);
#pragma unroll
      for (int j = 0; j < across; ++j) mma_tf32(d[i][j], big, y_small[j]);
#pragma unroll
      for (int j = 0; j < across; ++j) mma_tf32(d[i][j], big, y_big[j]);
    }
  }

  template <int down, int across, class A, class B>
  TESSERA_DEVICE static void add(float (&d)[down][across][4], const A& a, int row, const B& b, int column, int thread) {
    add_f32<Tf32x3>(d, a, row, b, column, thread);
  }
};

// f32 rounded to tf32, one product.
struct Tf32 {
  static constexpr int depth = 8;
  static constexpr bool starts_anew = false;

  template <int down, int across>
  TESSERA_DEVICE static void multiply(float (&d)[down][across][4], const F32Operands<down, across>& of) {
    float y[across][2];
#pragma unroll
    for (int j = 0; j < across; ++j)
#pragma unroll
      for (int r = 0; r < 2; ++r) y[j][r] = round_to_tf32(of.y[j][r]);
#pragma unroll
    for (int i = 0; i < down; ++i) {
      float x[4];
#pragma unroll
      for (int r = 0; r < 4; ++r) x[r] = round_to_tf32(of.x[i][r]);
#pragma unroll
      for (int j = 0; j < across; ++j) mma_tf32(d[i][j], x, y[j]);
    }
  }

  template <int down, int across, class A, class B>
  TESSERA_DEVICE static void add(float (&d)[down][across][4], const A& a, int row, const B& b, int column, int thread) {
    add_f32<Tf32>(d, a, row, b, column, thread);
  }
};

// bf16 or f16: their products are exact in f32.
template <class T> struct Half {
  static constexpr int depth = 16;
  static constexpr bool starts_anew = false;

  // By `thread` of the block.
  template <int down, int across, class A, class B>
  TESSERA_DEVICE static void add(float (&d)[down][across][4], const A& a, int row, const B& b, int column, int thread) {
    static_assert(across % 2 == 0, "b comes in pairs of tiles");
    const int lane = thread % 32;
#pragma unroll
    for (int k = 0; k < A::depth; k += depth) {
      u32 y[across / 2][4];
#pragma unroll
      for (int j = 0; j < across / 2; ++j) load(y[j], b, column + j * 16, k, true, lane);
#pragma unroll
      for (int i = 0; i < down; ++i) {
        u32 x[4];
        load(x, a, row + i * 16, k, false, lane);
#pragma unroll
        for (int j = 0; j < across; ++j) mma_half(T{}, d[i][j], x, y[j / 2] + j % 2 * 2);
      }
    }
  }

 private:
  // 16 rows by 16 of K: rows 0 - 7 and 8 - 15, then the same for K 8 - 15; or K first.
  template <class Panel>
  TESSERA_DEVICE static void load(u32 (&to)[4], const Panel& from, int row, int k, bool k_first, int lane) {
    const int line = lane % 8, second = lane / 8 % 2 * 8, fourth = lane / 16 * 8;
    const int r = row + (k_first ? fourth : second), c = k + (k_first ? second : fourth);
    if constexpr (Panel::lie == Lie::along_k) load_matrices(to, from.address(r + line, c));
    else load_matrices_transposed(to, from.address(r, c + line));
  }
};

// A tile of tile_m × tile_n sums, warp_m × warp_n of them in each warp.
template <class Product, int tile_m, int tile_n, int warp_m, int warp_n> class MmaSums {
  static constexpr int down = warp_m / 16, across = warp_n / 8;
  float sums_[down][across][4] = {};

  TESSERA_DEVICE static int row(int thread) { return thread / 32 / (tile_n / warp_n) * warp_m; }
  TESSERA_DEVICE static int column(int thread) { return thread / 32 % (tile_n / warp_n) * warp_n; }

 public:
  template <class A, class B> TESSERA_DEVICE void add(const A& a, const B& b) {
    if constexpr (Product::starts_anew) {
      const int thread = static_cast<int>(threadIdx.x);
      float step[down][across][4] = {};
      Product::add(step, a, row(thread), b, column(thread), thread);
#pragma unroll
      for (int i = 0; i < down; ++i)
#pragma unroll
        for (int j = 0; j < across; ++j)
#pragma unroll
          for (int r = 0; r < 4; ++r) sums_[i][j][r] += step[i][j][r];
    } else {
      const int thread = thread_of_step();
      Product::add(sums_, a, row(thread), b, column(thread), thread);
    }
  }

  // All threads of the block see the tile afterwards.
  TESSERA_DEVICE void put(SumTile<float, tile_m, tile_n>& to) const {
    const int thread = static_cast<int>(threadIdx.x), g = thread % 32 / 4, t = thread % 4;
#pragma unroll
    for (int i = 0; i < down; ++i)
#pragma unroll
      for (int j = 0; j < across; ++j)
#pragma unroll
        for (int h = 0; h < 2; ++h)
          store(to.address(row(thread) + i * 16 + g + h * 8, column(thread) + j * 8 + t * 2),
                Vector<float, 2>{{sums_[i][j][2 * h], sums_[i][j][2 * h + 1]}});
    __syncthreads();
  }
};

}  // namespace tessera
