// kernel contract_add_mul_tanh
//
//   reads      x 40x1096xbf16, weight 72x1096xbf16, bias 72xbf16
//   writes     add_value 40x72xbf16, mul_value 40x72xbf16
//   moves      257.2 kB, 6.4 MFLOP
//   schedule   tile 64 x 32, one warpgroup, steps of 128 of K, 8 stages; copy engine and wgmma; a along K; b along K; pairs have 640 of K each, and add halves of the sums; begins early; 6 blocks, one tile for each pair
//   from       cuda_tile_contract_test.cpp:139  contract add
//              cuda_tile_contract_test.cpp:140  mul mul mul mul add mul tanh add mul
#include "early.cuh"
#include "rows.cuh"
#include "tile.cuh"

namespace tessera {

struct contract_add_mul_tanh_ed2d09c4_shared {
  Tile<bf16, 64, 128> a[8];
  Tile<bf16, 32, 128> b[8];
  Halves<16> halves;
  Channel<8> ab;
};

extern "C" __constant__ Launch contract_add_mul_tanh_ed2d09c4_launch = early({256, 2, sizeof(contract_add_mul_tanh_ed2d09c4_shared), {64, 32}, 2, {
    {0, 2, 0, {1096, 40}, {1, 1096}},
    {1, 2, 0, {1096, 72}, {1, 1096}}}});

extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(256, 1)
contract_add_mul_tanh_ed2d09c4(const TensorMap __grid_constant__ x, const TensorMap __grid_constant__ weight, const bf16* __restrict__ bias,
     bf16* __restrict__ add_value, bf16* __restrict__ mul_value) {
  contract_add_mul_tanh_ed2d09c4_shared& shared = shared_memory<contract_add_mul_tanh_ed2d09c4_shared>();
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
      const int n_first = t * 32;
      const int k_first = rank * 640;
#pragma unroll 1
      for (int k = k_first; k < k_first + 640; k += 128) {
        const Slot s = ab.put(bytes_of<Tile<bf16, 64, 128>> + bytes_of<Tile<bf16, 32, 128>>);
        load(shared.b[s], weight, s, k, n_first);
        load(shared.a[s], x, s, k, m_first);
      }
    }
  } else {  // consumer
    Reader ab(shared.ab);
    const int m_first = 0;
    const int k_first = rank * 640;
    const int n_first = t * 32 + rank * 16;
    Fragment<32> sums;
#pragma unroll 1
    for (int k = k_first; k < k_first + 640; k += 128) {
      const int s = ab.get();
      mma_abt(sums, rows<64>(shared.a[s], 0), shared.b[s], k > k_first);
      mma_wait<1>();
      if (k > k_first) ab.release();
    }
    mma_wait<0>(sums);
    ab.release();
    const Fragment<16> whole = shared.halves.add(sums);
    finish(
        [&](int row, int column, const Vector<float, 2>& sum) {
          const int m = m_first + row;
          const int n = n_first + column;
          if (m >= 40 || n >= 72) return;
          const Vector<bf16, 2> bias_at = load<2>(bias + n);
          Vector<bf16, 2> add_value_at;
          Vector<bf16, 2> mul_value_at;
#pragma unroll
          for (int i = 0; i < 2; ++i) {
            const float wide_1 = widen(bias_at[i]);
            const float add_1 = sum[i] + wide_1;  // cuda_tile_contract_test.cpp:139
            const float mul_1 = add_1 * half_one_plus_tanh(0.7978846f, 0.044715f, add_1);  // cuda_tile_contract_test.cpp:140
            const bf16 rounded_1 = narrow<bf16>(add_1);  // cuda_tile_contract_test.cpp:139
            add_value_at[i] = rounded_1;
            const bf16 rounded_2 = narrow<bf16>(mul_1);  // cuda_tile_contract_test.cpp:140
            mul_value_at[i] = rounded_2;
          }
          store(add_value + m * 72 + n, add_value_at);
          store(mul_value + m * 72 + n, mul_value_at);
        },
        whole);
  }
}

}  // namespace tessera
