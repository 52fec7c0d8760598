#pragma once
// What cascades include beside cascade.cuh where the copy engine brings operands and wgmma multiplies them (sm_90a).
//
// A warpgroup has 64 rows of the plane, and its sums lie in its lanes as those of Plane<1, across> of four warps do: what is
// computed of an element is the same text. Each product is waited for before anything else is done; the tensor cores have the
// other blocks of the multiprocessor meanwhile.

#include "cascade.cuh"
#include "tma.cuh"
#include "wgmma.cuh"

namespace tessera {

template <int across> TESSERA_DEVICE float (&registers_of(Plane<1, across>& x))[across * 4] {
  return reinterpret_cast<float(&)[across * 4]>(x);
}

// Until all products are done; their sums are named, so that nothing asks for them before.
template <int... across> TESSERA_DEVICE void wait_for_products(Plane<1, across>&... sums) {
  wgmma_wait<0>();
  (pin(registers_of<across>(sums)), ...);
}

// scores[m, n] = Σ over d of rows[m, d] · columns[n, d]. They are there once they are waited for.
template <int depth, int across, class T, int row_count, int column_count, int width>
TESSERA_DEVICE void begin_scores(Plane<1, across>& scores, const Tile<T, row_count, width>& rows,
                                 const Tile<T, column_count, width>& columns) {
  static_assert(row_count == 64 && column_count == across * 8 && depth % 16 == 0 && depth <= width);
  float(&sums)[across * 4] = registers_of<across>(scores);
  pin(sums);
  wgmma_fence();
#pragma unroll
  for (int k = 0; k < depth; k += 16)
    wgmma<Tile<T, 64, width>::is_f16, 0, 0>(sums, operand_along_columns(rows, k), operand_along_columns(columns, k), k > 0);
  wgmma_commit();
}

// As `multiply` of panels: sums += left · right over `depth` of K, which are the lines of the tile.
template <int depth, int across, class Left, class T, int width>
TESSERA_DEVICE void multiply(Plane<1, across>& all, const Left& left, const Tile<T, depth, width>& right) {
  static_assert(depth % 16 == 0 && across * 8 <= width);
  u32 x[depth / 16][4];
#pragma unroll
  for (int k = 0; k < depth / 16; ++k) left.get(x[k], 0, k);
  float(&sums)[across * 4] = registers_of<across>(all);
  pin(sums);
  wgmma_fence();
#pragma unroll
  for (int k = 0; k < depth / 16; ++k) {
    const u64 columns = operand_along_rows(right, k * 16);
    if constexpr (Tile<T, depth, width>::is_f16) wgmma_f16<1>(sums, x[k], columns, true);
    else wgmma<1>(sums, x[k], columns, true);
  }
  wgmma_commit();
  wait_for_products<across>(all);
}

}  // namespace tessera
