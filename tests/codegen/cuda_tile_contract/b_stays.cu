// kernel contract_add_mul_tanh
//
//   reads      x 2048x768xbf16, weight 3072x768xbf16, bias 3072xbf16
//   writes     add_value 2048x3072xbf16, mul_value 2048x3072xbf16
//   moves      33.0 MB, 9758.0 MFLOP
//   schedule   tile 128 x 192, two warpgroups in turns, steps of 64 of K, 5 stages; copy engine and wgmma; a along K; b along K; b dealt; pairs along N share a; 6 steps of b stay for the next tile; 128 blocks
//   from       cuda_tile_contract_test.cpp:253  contract
//              cuda_tile_contract_test.cpp:254  add
//              cuda_tile_contract_test.cpp:255  mul mul mul mul add mul tanh add mul
#include "rows.cuh"
#include "tile.cuh"

namespace tessera {

struct contract_add_mul_tanh_0e8f2a40_shared {
  Tile<bf16, 128, 64> a[5];
  Tile<bf16, 192, 64> b[6];
  ColumnValues<bf16, 192> bias_columns[2];
  Channel<5, 2> ab;
};

extern "C" __constant__ Launch contract_add_mul_tanh_0e8f2a40_launch = {384, 2, sizeof(contract_add_mul_tanh_0e8f2a40_shared), {64, 192}, 2, {
    {0, 2, 0, {768, 2048}, {1, 768}},
    {1, 5, 0, {768, 2, 4, 4, 96}, {1, 768, 6144, 1536, 24576}, {}, {2, 4, 4, 6}}}};

extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(384, 1)
contract_add_mul_tanh_0e8f2a40(const TensorMap __grid_constant__ x, const TensorMap __grid_constant__ weight, const bf16* __restrict__ bias,
     bf16* __restrict__ add_value, bf16* __restrict__ mul_value) {
  contract_add_mul_tanh_0e8f2a40_shared& shared = shared_memory<contract_add_mul_tanh_0e8f2a40_shared>();
  shared.ab.init(1);
  publish_barriers<2>();
  const int rank = cluster_rank();
  const int t = blockIdx.x / 2;

  if (warpgroup() == 0) {  // producer
    give_registers<24>();
    if (threadIdx.x == 0) {
      Writer ab(shared.ab);
      for (int down = t / 8; down < 16; down += 8) {
        const int m_first = down * 128;
        const int n_first = (t % 8 * 2 + rank) * 192;
        const int there = down >= 8 ? 384 : 0;
        for (int walked = 0; walked < there; walked += 64) {
          const Slot s = ab.put(bytes_of<Tile<bf16, 128, 64>>);
          const int k = down / 8 % 2 != 0 ? 704 - walked : walked;
          load_to_all<2>(rows<64>(shared.a[s], rank * 64), x, s, k, m_first + rank * 64);
        }
        for (int walked = there; walked < 768; walked += 64) {
          const Slot s = ab.put(bytes_of<Tile<bf16, 128, 64>> + bytes_of<Tile<bf16, 192, 64>>);
          const int k = down / 8 % 2 != 0 ? 704 - walked : walked;
          load_to_all<2>(rows<64>(shared.a[s], rank * 64), x, s, k, m_first + rank * 64);
          load(shared.b[k / 64 % 6], weight, s, k, 0, 0, 0, n_first / 32);
        }
      }
      ab.drain();
    }
  } else {  // consumer
    take_registers<240>();
    const int consumer = warpgroup() - 1;
    Reader ab(shared.ab);
    Turns<2> turns(consumer);
    if (consumer == 1) ab.skip(12);
    for (int down = t / 8 + consumer * 8; down < 16; down += 16) {
      const int m_first = down * 128;
      const int n_first = (t % 8 * 2 + rank) * 192;
      shared.bias_columns[consumer].bring_dealt(bias + n_first, 3072 - n_first);
      Fragment<192> sums;
      Fragment<192> sums_2;
      turns.wait();
#pragma unroll 1
      for (int walked = 0; walked < 768; walked += 64) {
        const int s = ab.get();
        const int k = consumer == 1 ? 704 - walked : walked;
        mma_abt(sums, rows<64>(shared.a[s], 0), shared.b[k / 64 % 6], walked > 0);
        mma_abt(sums_2, rows<64>(shared.a[s], 64), shared.b[k / 64 % 6], walked > 0);
        mma_wait<2>();
        if (walked > 0) ab.release();
      }
      turns.pass();
      mma_wait<0>(sums);
      mma_wait<0>(sums_2);
      ab.release();
      ab.skip(12);
      const ColumnValues<bf16, 192>& bias_columns = shared.bias_columns[consumer];
      finish_dealt(
          [&](int row, int column, const Vector<float, 8>& sum) {
            const int m = m_first + row;
            const int n = n_first + column;
            const Vector<bf16, 8> bias_at = bias_columns.at(column);
            Vector<float, 8> add_value_at;
            Vector<float, 8> mul_value_at;
#pragma unroll
            for (int i = 0; i < 8; ++i) {
              const float wide_1 = widen(bias_at[i]);
              const float add_1 = sum[i] + wide_1;  // cuda_tile_contract_test.cpp:254
              const float mul_1 = add_1 * half_one_plus_tanh(0.7978846f, 0.044715f, add_1);  // cuda_tile_contract_test.cpp:255
              add_value_at[i] = add_1;
              mul_value_at[i] = mul_1;
            }
            store_rounded(add_value + m * 3072 + n, add_value_at);
            store_rounded(mul_value + m * 3072 + n, mul_value_at);
          },
          sums, sums_2);
    }
  }
}

}  // namespace tessera
