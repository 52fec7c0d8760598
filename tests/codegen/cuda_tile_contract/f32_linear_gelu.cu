// kernel contract_add_mul_tanh
//
//   reads      x 130x74xf32, weight 224x74xf32, bias 224xf32
//   writes     add_value 130x224xf32, mul_value 130x224xf32
//   moves      338.6 kB, 4.6 MFLOP
//   schedule   tile 128 x 64, two warpgroups together, steps of 32 of K, 4 stages; copy engine and wgmma; a along K; b along K; tf32 x 3; a copied before; b copied before; b dealt; 8 blocks
//   from       cuda_tile_contract_test.cpp:190  contract add
//              cuda_tile_contract_test.cpp:191  mul mul mul mul add mul tanh add mul
#include "rows.cuh"
#include "tile.cuh"

namespace tessera {

struct contract_add_mul_tanh_a8190ee5_shared {
  Tile<tf32, 128, 32> a[4];
  Tile<tf32, 64, 32> b[4];
  Tile<tf32, 128, 32> a_rests[4];
  Tile<tf32, 64, 32> b_rests[4];
  ColumnValues<float, 64> bias_columns[2];
  Channel<4> ab;
};

extern "C" __constant__ Launch contract_add_mul_tanh_a8190ee5_launch = {384, 1, sizeof(contract_add_mul_tanh_a8190ee5_shared), {128, 64, 128, 64}, 4, {
    {0, 2, 0, {74, 130}, {1, 76}, {}, {}, MapElement::tf32},
    {1, 5, 0, {74, 2, 4, 2, 14}, {1, 76, 304, 152, 1216}, {}, {2, 4, 2, 4}, MapElement::tf32},
    {2, 2, 0, {74, 130}, {1, 76}, {}, {}, MapElement::tf32},
    {3, 5, 0, {74, 2, 4, 2, 14}, {1, 76, 304, 152, 1216}, {}, {2, 4, 2, 4}, MapElement::tf32}}};

extern "C" __global__ void __launch_bounds__(384, 1)
contract_add_mul_tanh_a8190ee5(const TensorMap __grid_constant__ x, const TensorMap __grid_constant__ weight,
     const TensorMap __grid_constant__ x_rests, const TensorMap __grid_constant__ weight_rests,
     const float* __restrict__ bias, float* __restrict__ add_value, float* __restrict__ mul_value) {
  contract_add_mul_tanh_a8190ee5_shared& shared = shared_memory<contract_add_mul_tanh_a8190ee5_shared>();
  shared.ab.init(2);
  publish_barriers<1>();
  const Raster tiles{2, 4, 8};

  if (warpgroup() == 0) {  // producer
    give_registers<40>();
    if (threadIdx.x == 0) {
      Writer ab(shared.ab);
      for (int t = blockIdx.x; t < tiles.count(); t += gridDim.x) {
        const Place at = tiles.at(t);
        const int m_first = at.row * 128;
        const int n_first = at.column * 64;
#pragma unroll 1
        for (int k = 0; k < 74; k += 32) {
          const Slot s = ab.put(bytes_of<Tile<tf32, 128, 32>> + bytes_of<Tile<tf32, 64, 32>> + bytes_of<Tile<tf32, 128, 32>> + bytes_of<Tile<tf32, 64, 32>>);
          load(shared.a[s], x, s, k, m_first);
          load(shared.b[s], weight, s, k, 0, 0, 0, n_first / 16);
          load(shared.a_rests[s], x_rests, s, k, m_first);
          load(shared.b_rests[s], weight_rests, s, k, 0, 0, 0, n_first / 16);
        }
      }
    }
  } else {  // consumer
    take_registers<232>();
    const int consumer = warpgroup() - 1;
    Reader ab(shared.ab);
    for (int t = blockIdx.x; t < tiles.count(); t += gridDim.x) {
      const Place at = tiles.at(t);
      const int n_first = at.column * 64;
      const int m_first = at.row * 128 + consumer * 64;
      shared.bias_columns[consumer].bring_dealt(bias + n_first, 224 - n_first);
      Fragment<64> sums(0.f);
#pragma unroll 1
      for (int k = 0; k < 74; k += 32) {
        const int s = ab.get();
        Fragment<64> of_step;
        mma_abt(of_step, rows<64>(shared.a_rests[s], consumer * 64), shared.b[s], false);
        mma_abt(of_step, rows<64>(shared.a[s], consumer * 64), shared.b_rests[s], true);
        mma_abt(of_step, rows<64>(shared.a[s], consumer * 64), shared.b[s], true);
        mma_wait<0>(of_step);
        ab.release();
        sums.add(of_step);
      }
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
              const float add_1 = sum[i] + bias_at[i];  // cuda_tile_contract_test.cpp:190
              add_value_at[i] = add_1;
              const float mul_1 = 0.5f * add_1;  // cuda_tile_contract_test.cpp:191
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
// kernel contract_add_mul_tanh_operands
//
//   moves      0.3 MB
//   x0         4 elements a thread, 256 threads a block: copy, rests; 10 blocks
//   x1         4 elements a thread, 256 threads a block: copy, rests; 17 blocks
#include "operand_copies.cuh"

namespace tessera {

extern "C" __constant__ Launch contract_add_mul_tanh_operands_e57c4877_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
contract_add_mul_tanh_operands_e57c4877(const float* __restrict__ x0, const float* __restrict__ x1,
    float* __restrict__ x0_copy, float* __restrict__ x0_rests,
    float* __restrict__ x1_copy, float* __restrict__ x1_rests) {
  const int block = static_cast<int>(blockIdx.x);
  if (block < 10) {
    copy_lines<74, 130, 1, int>({x0_copy, x0_rests}, x0, 74, block);
  } else {
    copy_lines<74, 224, 1, int>({x1_copy, x1_rests}, x1, 74, block - 10);
  }
}

}  // namespace tessera
