#pragma once
// Products of f32 in cascades, as one or three products of tf32 (mma.cuh).
//
// Where the instruction says K t and t + 4, a lane has K 2t and 2t + 1 of both operands: the sum is the same. So a
// fragment of the plane is a left operand as it lies, and panels give two neighbours at once (Reads::pairs).

#include "mma.cuh"
#include "panel.cuh"

namespace tessera {

// Where a lane reads of a panel, 8 rows by 8 of K at a time. Pieces of a line change places within `groups` of 8
// neighbours, in the same way for each 8 lines: as many addresses serve all, and what is added to them is a constant.
template <class Panel> class PairReader {
  static constexpr bool along_k = Panel::lie == Lie::along_k;
  static constexpr int line_length = Panel::line_length, groups = line_length >= 32 ? 4 : line_length / 8;
  const float* at_[groups];

 public:
  TESSERA_DEVICE PairReader(const Panel& from, int first_row) {
    const int lane = thread_of_step() % 32, row = first_row + lane / 4, k = lane % 4 * 2;
#pragma unroll
    for (int q = 0; q < groups; ++q) at_[q] = along_k ? from.address(row, k + q * 8) : from.address(row + q * 8, k);
  }
  // K 2t and 2t + 1 of the row that is g behind this one.
  TESSERA_DEVICE Vector<float, 2> get(int row, int k) const {
    const int line = along_k ? row : k, group = (along_k ? k : row) / 8;
    const int behind = line * line_length + group / groups * groups * 8;
    if constexpr (along_k) return load<2>(at_[group % groups] + behind);
    constexpr int turned = groups == 4 ? 1 : 0;  // from one line to the next
    return {{at_[group % groups][behind], at_[group % groups ^ turned][behind + line_length]}};
  }
};

// Left operands of the warp's rows, K of 8 at a time: in shared memory, or a fragment of the plane. Rows g and g + 8 of
// K 2t, then of K 2t + 1.
template <class Panel, int down> class PairsInShared {
  const PairReader<Panel> from_;

 public:
  TESSERA_DEVICE explicit PairsInShared(const Panel& from)
      : from_(from, static_cast<int>(threadIdx.x) / 32 * down * 16) {}
  TESSERA_DEVICE void get(float (&to)[4], int i, int k) const {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const Vector<float, 2> pair = from_.get(i * 16 + h * 8, k * 8);
      to[h] = pair[0], to[h + 2] = pair[1];
    }
  }
};
template <int down, int across> struct PairsOfPlane {
  const float (&of)[down][across][4];
  TESSERA_DEVICE void get(float (&to)[4], int i, int k) const {
#pragma unroll
    for (int r = 0; r < 4; ++r) to[r] = of[i][k][r % 2 * 2 + r / 2];
  }
};
template <int down, int across>
TESSERA_DEVICE PairsOfPlane<down, across> in_pairs(const float (&of)[down][across][4]) {
  return {of};
}

// Values of a lane as tensor cores take them: rounded, and what is left, of which they see ten bits more. To round that
// too took a twelfth of a kernel and gained nothing: what is cut off has either sign. One product needs no
// `small`.
template <int count> struct Tf32Parts {
  float big[count], small[count];
  TESSERA_DEVICE void split(const float (&x)[count]) {
#pragma unroll
    for (int r = 0; r < count; ++r) {
      big[r] = __uint_as_float((__float_as_uint(x[r]) + 0x1000) & 0xffffe000);
      small[r] = x[r] - big[r];
    }
  }
};

// sums += x · y for tiles of one row of them: small · big, big · small and big · big, or the last alone.
template <int products, int tiles>
TESSERA_DEVICE void add_tf32(float (&sums)[tiles][4], const Tf32Parts<4>& x, const Tf32Parts<2> (&y)[tiles]) {
  if constexpr (products == 3) {
#pragma unroll
    for (int n = 0; n < tiles; ++n) mma_tf32(sums[n], x.small, y[n].big);
#pragma unroll
    for (int n = 0; n < tiles; ++n) mma_tf32(sums[n], x.big, y[n].small);
  }
#pragma unroll
  for (int n = 0; n < tiles; ++n) mma_tf32(sums[n], x.big, y[n].big);
}

TESSERA_DEVICE constexpr int largest_divisor(int of, int most) {
  return of % most == 0 ? most : largest_divisor(of, most - 1);
}

// sums += left · right, over `depth` of K. Tensor cores truncate what they add to. So sums begin at nothing for each 16
// of K, and f32 adds them up, rounding to nearest.
template <int products, int depth, int down, int across, class Left, class Right>
TESSERA_DEVICE void multiply_tf32(float (&sums)[down][across][4], const Left& left, const Right& right) {
  static_assert(products == 1 || products == 3, "tf32 alone, or with what it leaves");
  constexpr int pieces = depth / 8, tiles = largest_divisor(across, 8 / down);  // that begin at once
  const PairReader<Right> from(right, 0);
#pragma unroll
  for (int k = 0; k < pieces; k += 2) {
    float x[2][down][4];
#pragma unroll
    for (int s = 0; s < 2 && k + s < pieces; ++s)
#pragma unroll
      for (int i = 0; i < down; ++i) left.get(x[s][i], i, k + s);
#pragma unroll
    for (int j = 0; j < across; j += tiles) {
      float step[down][tiles][4] = {};
#pragma unroll
      for (int s = 0; s < 2 && k + s < pieces; ++s) {
        Tf32Parts<2> y[tiles];
#pragma unroll
        for (int n = 0; n < tiles; ++n) y[n].split(from.get((j + n) * 8, (k + s) * 8).values);
#pragma unroll
        for (int i = 0; i < down; ++i) {
          Tf32Parts<4> parts;
          parts.split(x[s][i]);
          add_tf32<products>(step[i], parts, y);
        }
      }
#pragma unroll
      for (int i = 0; i < down; ++i)
#pragma unroll
        for (int n = 0; n < tiles; ++n)
#pragma unroll
          for (int r = 0; r < 4; ++r) sums[i][j + n][r] += step[i][n][r];
    }
  }
}

}  // namespace tessera
