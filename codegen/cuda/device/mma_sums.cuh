#pragma once
// Products on tensor cores through mma.sync.

#include "mma.cuh"
#include "panel.cuh"
#include "sums.cuh"

namespace tessera {

// f32 as three products of what tensor cores take: x is a big part and a small one, and small · small is beneath f32.
struct Tf32x3 {
  static constexpr int depth = 8;
  // Tensor cores truncate their sums. So those of each step begin at nothing, and f32 adds them up, rounding to nearest.
  static constexpr bool starts_anew = true;

  template <int count> struct Parts {
    float big[count], small[count];
    TESSERA_DEVICE void set(int i, float x) {
      big[i] = round_to_tf32(x);
      const float rest = big[i] == x ? 0.f : x - big[i];  // an infinity has none
      small[i] = __uint_as_float(__float_as_uint(rest) + 0x1000);  // the bits behind are not seen: rounded to nearest
    }
  };

  // Sums of 16 × 8 tiles, `down` × `across` of them, from row and column on; K of `depth`.
  template <int down, int across, class A, class B>
  TESSERA_DEVICE static void add(float (&d)[down][across][4], const A& a, int row, const B& b, int column, int k) {
    const int g = static_cast<int>(threadIdx.x) % 32 / 4, t = static_cast<int>(threadIdx.x) % 4;
    Parts<2> y[across];
#pragma unroll
    for (int j = 0; j < across; ++j)
#pragma unroll
      for (int i = 0; i < 2; ++i) y[j].set(i, b.at(column + j * 8 + g, k + t + i * 4));
#pragma unroll
    for (int i = 0; i < down; ++i) {
      Parts<4> x;
#pragma unroll
      for (int r = 0; r < 4; ++r) x.set(r, a.at(row + i * 16 + g + r % 2 * 8, k + t + r / 2 * 4));
#pragma unroll
      for (int j = 0; j < across; ++j) mma_tf32(d[i][j], x.small, y[j].big);
#pragma unroll
      for (int j = 0; j < across; ++j) mma_tf32(d[i][j], x.big, y[j].small);
#pragma unroll
      for (int j = 0; j < across; ++j) mma_tf32(d[i][j], x.big, y[j].big);
    }
  }
};

// bf16 or f16: their products are exact in f32.
template <class T> struct Half {
  static constexpr int depth = 16;
  static constexpr bool starts_anew = false;

  // 16 rows by 16 of K: rows 0 - 7 and 8 - 15, then the same for K 8 - 15; or K first.
  template <class Panel> TESSERA_DEVICE static void load(u32 (&to)[4], const Panel& from, int row, int k, bool k_first) {
    const int lane = static_cast<int>(threadIdx.x) % 32, line = lane % 8;
    const int second = lane / 8 % 2 * 8, fourth = lane / 16 * 8;
    const int r = row + (k_first ? fourth : second), c = k + (k_first ? second : fourth);
    if constexpr (Panel::lie == Lie::along_k) load_matrices(to, from.address(r + line, c));
    else load_matrices_transposed(to, from.address(r, c + line));
  }

  template <int down, int across, class A, class B>
  TESSERA_DEVICE static void add(float (&d)[down][across][4], const A& a, int row, const B& b, int column, int k) {
    static_assert(across % 2 == 0, "b comes in pairs of tiles");
    u32 y[across / 2][4];
#pragma unroll
    for (int j = 0; j < across / 2; ++j) load(y[j], b, column + j * 16, k, true);
#pragma unroll
    for (int i = 0; i < down; ++i) {
      u32 x[4];
      load(x, a, row + i * 16, k, false);
#pragma unroll
      for (int j = 0; j < across; ++j) mma_half(T{}, d[i][j], x, y[j / 2] + j % 2 * 2);
    }
  }
};

// A tile of tile_m × tile_n sums, warp_m × warp_n of them in each warp.
template <class Product, int tile_m, int tile_n, int warp_m, int warp_n> class MmaSums {
  static constexpr int down = warp_m / 16, across = warp_n / 8;
  float sums_[down][across][4] = {};

  TESSERA_DEVICE static int row() { return static_cast<int>(threadIdx.x) / 32 / (tile_n / warp_n) * warp_m; }
  TESSERA_DEVICE static int column() { return static_cast<int>(threadIdx.x) / 32 % (tile_n / warp_n) * warp_n; }

  template <class A, class B> TESSERA_DEVICE static void add_to(float (&d)[down][across][4], const A& a, const B& b) {
#pragma unroll
    for (int k = 0; k < A::depth; k += Product::depth) Product::add(d, a, row(), b, column(), k);
  }

 public:
  template <class A, class B> TESSERA_DEVICE void add(const A& a, const B& b) {
    if constexpr (Product::starts_anew) {
      float step[down][across][4] = {};
      add_to(step, a, b);
#pragma unroll
      for (int i = 0; i < down; ++i)
#pragma unroll
        for (int j = 0; j < across; ++j)
#pragma unroll
          for (int r = 0; r < 4; ++r) sums_[i][j][r] += step[i][j][r];
    } else {
      add_to(sums_, a, b);
    }
  }

  // All threads of the block see the tile afterwards.
  TESSERA_DEVICE void put(SumTile<float, tile_m, tile_n>& to) const {
    const int g = static_cast<int>(threadIdx.x) % 32 / 4, t = static_cast<int>(threadIdx.x) % 4;
#pragma unroll
    for (int i = 0; i < down; ++i)
#pragma unroll
      for (int j = 0; j < across; ++j)
#pragma unroll
        for (int h = 0; h < 2; ++h)
          store(to.address(row() + i * 16 + g + h * 8, column() + j * 8 + t * 2),
                Vector<float, 2>{{sums_[i][j][2 * h], sums_[i][j][2 * h + 1]}});
    __syncthreads();
  }
};

}  // namespace tessera
