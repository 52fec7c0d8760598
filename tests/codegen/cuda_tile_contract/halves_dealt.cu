// kernel contract_add
//
//   reads      x 40x1096xbf16, weight 2144x1096xbf16, bias 2144xbf16
//   writes     add_value 40x2144xbf16
//   moves      5.0 MB, 188.4 MFLOP
//   schedule   tile 64 x 64, one warpgroup, steps of 128 of K, 6 stages; copy engine and wgmma; a along K; b along K; b dealt; pairs have 640 of K each, and add halves of the sums; begins early; 68 blocks, one tile for each pair
//   from       cuda_tile_contract_test.cpp:210  contract
//              cuda_tile_contract_test.cpp:211  add
#include "early.cuh"
#include "rows.cuh"
#include "tile.cuh"

namespace tessera {

struct contract_add_f9bebd88_shared {
  Tile<bf16, 64, 128> a[6];
  Tile<bf16, 64, 128> b[6];
  Halves<32> halves;
  ColumnValues<bf16, 32> bias_columns[1];
  Channel<6> ab;
};

extern "C" __constant__ Launch contract_add_f9bebd88_launch = early({256, 2, sizeof(contract_add_f9bebd88_shared), {64, 64}, 2, {
    {0, 2, 0, {1096, 40}, {1, 1096}},
    {1, 5, 0, {1096, 2, 4, 4, 67}, {1, 1096, 8768, 2192, 35072}, {}, {2, 4, 4, 2}}}});

extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(256, 1)
contract_add_f9bebd88(const TensorMap __grid_constant__ x, const TensorMap __grid_constant__ weight, const bf16* __restrict__ bias,
     bf16* __restrict__ add_value) {
  contract_add_f9bebd88_shared& shared = shared_memory<contract_add_f9bebd88_shared>();
  fetch_maps(x, weight);
  shared.halves.init();
  shared.ab.init(1);
  publish_barriers_ahead();
  wait_for_launch_before(bias);
  const int rank = cluster_rank();
  const int t = blockIdx.x / 2;

  if (warpgroup() == 0) {  // producer
    if (threadIdx.x == 0) {
      Writer ab(shared.ab);
      const int m_first = 0;
      const int n_first = t * 64;
      const int k_first = rank * 640;
#pragma unroll 1
      for (int k = k_first; k < k_first + 640; k += 128) {
        const Slot s = ab.put(bytes_of<Tile<bf16, 64, 128>> + bytes_of<Tile<bf16, 64, 128>>);
        load(shared.b[s], weight, s, k, 0, 0, 0, n_first / 32);
        load(shared.a[s], x, s, k, m_first);
      }
    }
  } else {  // consumer
    Reader ab(shared.ab);
    const int m_first = 0;
    const int k_first = rank * 640;
    const int n_first = t * 64 + rank * 32;
    shared.bias_columns[0].bring_dealt(bias + n_first, 2144 - n_first);
    Fragment<64> sums;
#pragma unroll 1
    for (int k = k_first; k < k_first + 640; k += 128) {
      const int s = ab.get();
      mma_abt(sums, rows<64>(shared.a[s], 0), shared.b[s], k > k_first);
      mma_wait<1>();
      if (k > k_first) ab.release();
    }
    mma_wait<0>(sums);
    ab.release();
    const Fragment<32> whole = shared.halves.add(sums);
    const ColumnValues<bf16, 32>& bias_columns = shared.bias_columns[0];
    finish_dealt(
        [&](int row, int column, const Vector<float, 8>& sum) {
          const int m = m_first + row;
          const int n = n_first + column;
          if (m >= 40 || n >= 2144) return;
          const Vector<bf16, 8> bias_at = bias_columns.at(column);
          Vector<float, 8> add_value_at;
#pragma unroll
          for (int i = 0; i < 8; ++i) {
            const float wide_1 = widen(bias_at[i]);
            const float add_1 = sum[i] + wide_1;  // cuda_tile_contract_test.cpp:211
            add_value_at[i] = add_1;
          }
          store_rounded(add_value + m * 2144 + n, add_value_at);
        },
        whole);
  }
}

}  // namespace tessera
