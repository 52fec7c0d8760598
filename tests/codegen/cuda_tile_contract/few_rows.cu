// kernel contract_add_mul_tanh
//
//   reads      x 40x328xbf16, weight 136x328xbf16, bias 136xbf16
//   writes     add_value 40x136xbf16, mul_value 40x136xbf16
//   moves      137.5 kB, 3.7 MFLOP
//   schedule   tile 64 x 32, one warpgroup, steps of 128 of K, 8 stages; copy engine and wgmma; a along K; b along K; begins early; 5 blocks, one tile each
//   from       cuda_tile_contract_test.cpp:121  contract add
//              cuda_tile_contract_test.cpp:122  mul mul mul mul add mul tanh add mul
#include "early.cuh"
#include "rows.cuh"
#include "tile.cuh"

namespace tessera {

struct contract_add_mul_tanh_dac74c77_shared {
  Tile<bf16, 64, 128> a[8];
  Tile<bf16, 32, 128> b[8];
  Channel<8> ab;
};

extern "C" __constant__ Launch contract_add_mul_tanh_dac74c77_launch = early({256, 1, sizeof(contract_add_mul_tanh_dac74c77_shared), {64, 32}, 2, {
    {0, 2, 0, {328, 40}, {1, 328}},
    {1, 2, 0, {328, 136}, {1, 328}}}});

extern "C" __global__ void __launch_bounds__(256, 1)
contract_add_mul_tanh_dac74c77(const TensorMap __grid_constant__ x, const TensorMap __grid_constant__ weight, const bf16* __restrict__ bias,
     bf16* __restrict__ add_value, bf16* __restrict__ mul_value) {
  contract_add_mul_tanh_dac74c77_shared& shared = shared_memory<contract_add_mul_tanh_dac74c77_shared>();
  fetch_maps(x, weight);
  shared.ab.init(1);
  publish_barriers<1>();
  wait_for_launch_before(bias);
  const int t = blockIdx.x;

  if (warpgroup() == 0) {  // producer
    if (threadIdx.x == 0) {
      Writer ab(shared.ab);
      const int m_first = 0;
      const int n_first = t * 32;
#pragma unroll 1
      for (int k = 0; k < 328; k += 128) {
        const Slot s = ab.put(bytes_of<Tile<bf16, 64, 128>> + bytes_of<Tile<bf16, 32, 128>>);
        load(shared.b[s], weight, s, k, n_first);
        load(shared.a[s], x, s, k, m_first);
      }
    }
  } else {  // consumer
    Reader ab(shared.ab);
    const int m_first = 0;
    const int n_first = t * 32;
    Fragment<32> sums;
#pragma unroll 1
    for (int k = 0; k < 328; k += 128) {
      const int s = ab.get();
      mma_abt(sums, rows<64>(shared.a[s], 0), shared.b[s], k > 0);
      mma_wait<1>();
      if (k > 0) ab.release();
    }
    mma_wait<0>(sums);
    ab.release();
    finish(
        [&](int row, int column, const Vector<float, 2>& sum) {
          const int m = m_first + row;
          const int n = n_first + column;
          if (m >= 40 || n >= 136) return;
          const Vector<bf16, 2> bias_at = load<2>(bias + n);
          Vector<bf16, 2> add_value_at;
          Vector<bf16, 2> mul_value_at;
#pragma unroll
          for (int i = 0; i < 2; ++i) {
            const float wide_1 = widen(bias_at[i]);
            const float add_1 = sum[i] + wide_1;  // cuda_tile_contract_test.cpp:121
            const float mul_1 = add_1 * half_one_plus_tanh(0.7978846f, 0.044715f, add_1);  // cuda_tile_contract_test.cpp:122
            const bf16 rounded_1 = narrow<bf16>(add_1);  // cuda_tile_contract_test.cpp:121
            add_value_at[i] = rounded_1;
            const bf16 rounded_2 = narrow<bf16>(mul_1);  // cuda_tile_contract_test.cpp:122
            mul_value_at[i] = rounded_2;
          }
          store(add_value + m * 136 + n, add_value_at);
          store(mul_value + m * 136 + n, mul_value_at);
        },
        sums);
  }
}

}  // namespace tessera
