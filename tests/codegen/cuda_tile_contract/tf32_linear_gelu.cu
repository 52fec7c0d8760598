// kernel contract_add_mul_tanh
//
//   reads      x 130x72xf32, weight 224x72xf32, bias 224xf32
//   writes     add_value 130x224xf32, mul_value 130x224xf32
//   moves      335.8 kB, 4.5 MFLOP
//   schedule   tile 64 x 64, two warpgroups in turns, steps of 32 of K, 8 stages; copy engine and wgmma; a along K; b along K; tf32; b dealt; pairs along M share b; 16 blocks
//   from       cuda_tile_contract_test.cpp:149  contract add
//              cuda_tile_contract_test.cpp:150  mul mul mul mul add mul tanh add mul
#include "rows.cuh"
#include "tile.cuh"

namespace tessera {

struct contract_add_mul_tanh_55f7b960_shared {
  Tile<tf32, 64, 32> a[8];
  Tile<tf32, 64, 32> b[8];
  ColumnValues<float, 64> bias_columns[2];
  Channel<8, 2> ab;
};

extern "C" __constant__ Launch contract_add_mul_tanh_55f7b960_launch = {384, 2, sizeof(contract_add_mul_tanh_55f7b960_shared), {64, 32}, 2, {
    {0, 2, 0, {72, 130}, {1, 72}, {}, {}, MapElement::tf32},
    {1, 5, 0, {72, 2, 4, 2, 14}, {1, 72, 288, 144, 1152}, {}, {2, 4, 2, 2}, MapElement::tf32}}};

extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(384, 1)
contract_add_mul_tanh_55f7b960(const TensorMap __grid_constant__ x, const TensorMap __grid_constant__ weight, const float* __restrict__ bias,
     float* __restrict__ add_value, float* __restrict__ mul_value) {
  contract_add_mul_tanh_55f7b960_shared& shared = shared_memory<contract_add_mul_tanh_55f7b960_shared>();
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
        for (int k = 0; k < 72; k += 32) {
          const Slot s = ab.put(bytes_of<Tile<tf32, 64, 32>> + bytes_of<Tile<tf32, 64, 32>>);
          load(shared.a[s], x, s, k, m_first);
          load_to_all<2>(rows<32>(shared.b[s], rank * 32), weight, s, k, 0, 0, 0, (n_first + rank * 32) / 16);
        }
      }
      ab.drain();
    }
  } else {  // consumer
    take_registers<240>();
    const int consumer = warpgroup() - 1;
    Reader ab(shared.ab);
    Turns<2> turns(consumer);
    if (consumer == 1) ab.skip(3);
    for (int t = blockIdx.x / 2 + consumer * (gridDim.x / 2); t < tiles.count(); t += gridDim.x / 2 * 2) {
      const Place at = tiles.at(t);
      const int m_first = (at.row * 2 + rank) * 64;
      const int n_first = at.column * 64;
      shared.bias_columns[consumer].bring_dealt(bias + n_first, 224 - n_first);
      Fragment<64> sums;
      turns.wait();
#pragma unroll 1
      for (int k = 0; k < 72; k += 32) {
        const int s = ab.get();
        mma_abt(sums, rows<64>(shared.a[s], 0), shared.b[s], k > 0);
        mma_wait<1>();
        if (k > 0) ab.release();
      }
      turns.pass();
      mma_wait<0>(sums);
      ab.release();
      ab.skip(3);
      const ColumnValues<float, 64>& bias_columns = shared.bias_columns[consumer];
      finish_dealt<4>(
          [&](int row, int column, const Vector<float, 4>& sum) {
            const int m = m_first + row;
            const int n = n_first + column;
            if (m >= 130 || n >= 224) return;
            const Vector<float, 4> bias_at = bias_columns.at<4>(column);
            Vector<float, 4> add_value_at;
            Vector<float, 4> mul_value_at;
#pragma unroll
            for (int i = 0; i < 4; ++i) {
              const float add_1 = sum[i] + bias_at[i];  // cuda_tile_contract_test.cpp:149
              add_value_at[i] = add_1;
              const float mul_1 = 0.5f * add_1;  // cuda_tile_contract_test.cpp:150
              const float mul_2 = add_1 * add_1;
              const float mul_3 = mul_2 * add_1;
              const float mul_4 = 0.044715f * mul_3;
              const float add_2 = add_1 + mul_4;
              const float mul_5 = 0.7978846f * add_2;
              const float sigmoid_1 = sigmoid(2.f * mul_5);
              const float add_3 = 2.f * sigmoid_1;
              const float mul_6 = mul_1 * add_3;
              mul_value_at[i] = mul_6;
            }
            store(add_value + m * 224 + n, add_value_at);
            store(mul_value + m * 224 + n, mul_value_at);
          },
          sums);
    }
  }
}

}  // namespace tessera
