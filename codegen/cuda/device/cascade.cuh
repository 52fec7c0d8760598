#pragma once
// What generated cascades include: products whose sums stay in registers, where a plane's values are computed from them and
// multiplied again.
//
// A warp has 16 · `down` rows of the plane and 8 · `across` columns of a block at a time. With g = lane / 4 and t = lane % 4,
// element [i][j][2 h + e] of a fragment is in row 16 i + 8 h + g and column 8 j + 2 t + e of these.

#include "contract.cuh"
#include "plane_tf32.cuh"

namespace tessera {

template <int down, int across> using Plane = float[down][across][4];
template <int down> using Rows = float[down][2];  // one value of each row

// f(i, h, j, e) for each element; f(i, h) for each row.
template <int down, int across, class F> TESSERA_DEVICE void each_element(F f) {
#pragma unroll
  for (int j = 0; j < across; ++j)
#pragma unroll
    for (int i = 0; i < down; ++i)
#pragma unroll
      for (int h = 0; h < 2; ++h)
#pragma unroll
        for (int e = 0; e < 2; ++e) f(i, h, j, e);
}
template <int down, class F> TESSERA_DEVICE void each_row(F f) {
#pragma unroll
  for (int i = 0; i < down; ++i)
#pragma unroll
    for (int h = 0; h < 2; ++h) f(i, h);
}

// Where this lane's elements are among those of the block's rows, and of a block of columns.
template <int down> TESSERA_DEVICE int row_of_element(int i, int h) {
  const int thread = static_cast<int>(threadIdx.x);
  return (thread / 32 * down + i) * 16 + h * 8 + thread % 32 / 4;
}
TESSERA_DEVICE int column_of_element(int j, int e) { return j * 8 + static_cast<int>(threadIdx.x) % 4 * 2 + e; }

// The four lanes that share a row.
template <class How, class T> TESSERA_DEVICE T across_quad(T x) {
  x = How::of(x, of_lane_across(x, 1));
  return How::of(x, of_lane_across(x, 2));
}

// A panel by its other side: rows are K, and K rows.
template <class Panel> struct Turned {
  static constexpr Lie lie = Panel::lie == Lie::along_k ? Lie::along_rows : Lie::along_k;
  static constexpr int line_length = Panel::line_length;
  const Panel& of;
  TESSERA_DEVICE const typename Panel::Element* address(int row, int k) const { return of.address(k, row); }
};
template <class Panel> TESSERA_DEVICE Turned<Panel> turned(const Panel& of) { return {of}; }

// 16 rows by 16 of K of a left operand; of a right one, whose 16 rows are columns of the product.
template <class Panel> TESSERA_DEVICE void load_left(u32 (&to)[4], const Panel& from, int row, int k) {
  const int lane = static_cast<int>(threadIdx.x) % 32, line = lane % 8;
  row += lane / 8 % 2 * 8, k += lane / 16 * 8;
  if constexpr (Panel::lie == Lie::along_k) load_matrices(to, from.address(row + line, k));
  else load_matrices_transposed(to, from.address(row, k + line));
}
template <class Panel> TESSERA_DEVICE void load_right(u32 (&to)[4], const Panel& from, int row, int k) {
  const int lane = static_cast<int>(threadIdx.x) % 32, line = lane % 8;
  row += lane / 16 * 8, k += lane / 8 % 2 * 8;
  if constexpr (Panel::lie == Lie::along_k) load_matrices(to, from.address(row + line, k));
  else load_matrices_transposed(to, from.address(row, k + line));
}

// Left operands of the warp's rows: in shared memory, read for each product; in registers, read once; or a fragment of the
// plane, each of whose elements is rounded.
template <class Panel, int down> struct LeftInShared {
  using Element = typename Panel::Element;
  const Panel& from;
  TESSERA_DEVICE void get(u32 (&to)[4], int i, int k) const {
    load_left(to, from, (static_cast<int>(threadIdx.x) / 32 * down + i) * 16, k * 16);
  }
};
template <class T, int down, int depth> struct LeftInRegisters {
  using Element = T;
  u32 of[depth / 16][down][4];

  template <class Panel> TESSERA_DEVICE void load(const Panel& from) {
#pragma unroll
    for (int k = 0; k < depth / 16; ++k)
#pragma unroll
      for (int i = 0; i < down; ++i)
        load_left(of[k][i], from, (static_cast<int>(threadIdx.x) / 32 * down + i) * 16, k * 16);
  }
  TESSERA_DEVICE void get(u32 (&to)[4], int i, int k) const {
#pragma unroll
    for (int r = 0; r < 4; ++r) to[r] = of[k][i][r];
  }
};
TESSERA_DEVICE u32 pack(bf16, float low, float high) { return pack_bf16(low, high); }
TESSERA_DEVICE u32 pack(f16, float low, float high) {
  return static_cast<u32>(narrow<f16>(low).bits) | static_cast<u32>(narrow<f16>(high).bits) << 16;
}
template <class T, int down, int across> struct LeftOfPlane {
  using Element = T;
  const Plane<down, across>& of;
  TESSERA_DEVICE void get(u32 (&to)[4], int i, int k) const {
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      const float(&pair)[4] = of[i][2 * k + r / 2];
      to[r] = pack(T{}, pair[r % 2 * 2], pair[r % 2 * 2 + 1]);
    }
  }
};
template <class T, int down, int across>
TESSERA_DEVICE LeftOfPlane<T, down, across> rounded_to(const Plane<down, across>& of) {
  return {of};
}

// What rounding leaves of each element, rounded itself: both together are exact to 2⁻¹⁷.
template <class T, int down, int across> struct LeftOfRest {
  using Element = T;
  const Plane<down, across>& of;
  TESSERA_DEVICE static float rest(float x) { return x - widen(narrow<T>(x)); }
  TESSERA_DEVICE void get(u32 (&to)[4], int i, int k) const {
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      const float(&pair)[4] = of[i][2 * k + r / 2];
      to[r] = pack(T{}, rest(pair[r % 2 * 2]), rest(pair[r % 2 * 2 + 1]));
    }
  }
};
template <class T, int down, int across>
TESSERA_DEVICE LeftOfRest<T, down, across> rest_of(const Plane<down, across>& of) {
  return {of};
}

// sums += left · right, over `depth` of K.
template <int depth, int down, int across, class Left, class Right>
TESSERA_DEVICE void multiply(Plane<down, across>& sums, const Left& left, const Right& right) {
  static_assert(depth % 16 == 0 && across % 2 == 0, "whole products of the tensor cores");
#pragma unroll
  for (int k = 0; k < depth / 16; ++k) {
    u32 x[down][4];
#pragma unroll
    for (int i = 0; i < down; ++i) left.get(x[i], i, k);
#pragma unroll
    for (int j = 0; j < across / 2; ++j) {
      u32 y[4];
      load_right(y, right, j * 16, k * 16);
#pragma unroll
      for (int i = 0; i < down; ++i) {
        mma_half(typename Left::Element{}, sums[i][2 * j], x[i], y);
        mma_half(typename Left::Element{}, sums[i][2 * j + 1], x[i], y + 2);
      }
    }
  }
}

template <int down, int across> TESSERA_DEVICE void scale_rows(Plane<down, across>& sums, const Rows<down>& factor) {
  each_element<down, across>([&](int i, int h, int j, int e) { sums[i][j][2 * h + e] *= factor[i][h]; });
}

}  // namespace tessera
