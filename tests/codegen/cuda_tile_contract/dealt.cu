// kernel contract_add_mul_tanh
//
//   reads      x 130x72xbf16, weight 224x72xbf16, bias 224xbf16
//   writes     add_value 130x224xbf16, mul_value 130x224xbf16
//   moves      167.9 kB, 4.6 MFLOP
//   schedule   tile 64 x 64, two warpgroups in turns, steps of 64 of K, 8 stages; copy engine and wgmma; a along K; b along K; b dealt; pairs along M share b; 16 blocks
//   from       cuda_tile_contract_test.cpp:127  contract add
//              cuda_tile_contract_test.cpp:128  mul mul mul mul add mul tanh add mul
#include "rows.cuh"
#include "tile.cuh"

namespace tessera {

struct contract_add_mul_tanh_f07dad44_shared {
  Tile<bf16, 64, 64> a[8];
  Tile<bf16, 64, 64> b[8];
  ColumnValues<bf16, 64> bias_columns[2];
  Channel<8, 2> ab;
};

extern "C" __constant__ Launch contract_add_mul_tanh_f07dad44_launch = {384, 2, sizeof(contract_add_mul_tanh_f07dad44_shared), {64, 32}, 2, {
    {0, 2, 0, {72, 130}, {1, 72}},
    {1, 5, 0, {72, 2, 4, 4, 7}, {1, 72, 576, 144, 2304}, {}, {2, 4, 4, 1}}}};

extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(384, 1)
contract_add_mul_tanh_f07dad44(const TensorMap __grid_constant__ x, const TensorMap __grid_constant__ weight, const bf16* __restrict__ bias,
     bf16* __restrict__ add_value, bf16* __restrict__ mul_value) {
  contract_add_mul_tanh_f07dad44_shared& shared = shared_memory<contract_add_mul_tanh_f07dad44_shared>();
  shared.ab.init(1);
  publish_barriers<2>();
  const int rank = cluster_rank();
  const Raster tiles{2, 4, 8};

  if (warpgroup() == 0) {  // producer
    give_registers<24>();
    if (threadIdx.x == 0) {
      Writer ab(shared.ab);
      for (int t = blockIdx.x / 2; t < tiles.count(); t += gridDim.x / 2) {
        const Place at = tiles.at(t);
        const int m_first = (at.row * 2 + rank) * 64;
        const int n_first = at.column * 64;
#pragma unroll 1
        for (int k = 0; k < 72; k += 64) {
          const Slot s = ab.put(bytes_of<Tile<bf16, 64, 64>> + bytes_of<Tile<bf16, 64, 64>>);
          load(shared.a[s], x, s, k, m_first);
          load_to_all<2>(rows<32>(shared.b[s], rank * 32), weight, s, k, 0, 0, 0, (n_first + rank * 32) / 32);
        }
      }
      ab.drain();
    }
  } else {  // consumer
    take_registers<240>();
    const int consumer = warpgroup() - 1;
    Reader ab(shared.ab);
    Turns<2> turns(consumer);
    if (consumer == 1) ab.skip(2);
    for (int t = blockIdx.x / 2 + consumer * (gridDim.x / 2); t < tiles.count(); t += gridDim.x / 2 * 2) {
      const Place at = tiles.at(t);
      const int m_first = (at.row * 2 + rank) * 64;
      const int n_first = at.column * 64;
      shared.bias_columns[consumer].bring_dealt(bias + n_first, 224 - n_first);
      Fragment<64> sums;
      turns.wait();
#pragma unroll 1
      for (int k = 0; k < 72; k += 64) {
        const int s = ab.get();
        mma_abt(sums, rows<64>(shared.a[s], 0), shared.b[s], k > 0);
        mma_wait<1>();
        if (k > 0) ab.release();
      }
      turns.pass();
      mma_wait<0>(sums);
      ab.release();
      ab.skip(2);
      const ColumnValues<bf16, 64>& bias_columns = shared.bias_columns[consumer];
      finish_dealt(
          [&](int row, int column, const Vector<float, 8>& sum) {
            const int m = m_first + row;
            const int n = n_first + column;
            if (m >= 130 || n >= 224) return;
            const Vector<bf16, 8> bias_at = bias_columns.at(column);
            Vector<float, 8> add_value_at;
            Vector<float, 8> mul_value_at;
#pragma unroll
            for (int i = 0; i < 8; ++i) {
              const float wide_1 = widen(bias_at[i]);
              const float add_1 = sum[i] + wide_1;  // cuda_tile_contract_test.cpp:127
              const float mul_1 = add_1 * half_one_plus_tanh(0.7978846f, 0.044715f, add_1);  // cuda_tile_contract_test.cpp:128
              add_value_at[i] = add_1;
              mul_value_at[i] = mul_1;
            }
            store_rounded(add_value + m * 224 + n, add_value_at);
            store_rounded(mul_value + m * 224 + n, mul_value_at);
          },
          sums);
    }
  }
}

}  // namespace tessera
