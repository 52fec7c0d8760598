// kernel contract_add_mul_tanh
//
//   reads      x 130x72xbf16, weight 200x72xbf16, bias 200xbf16
//   writes     add_value 130x200xbf16, mul_value 130x200xbf16
//   moves      151.9 kB, 4.1 MFLOP
//   schedule   tile 64 x 64, two warpgroups in turns, steps of 64 of K, 8 stages; copy engine and wgmma; a along K; b along K; pairs along M share b; 16 blocks
//   from       cuda_tile_contract_test.cpp:47  contract add
//              cuda_tile_contract_test.cpp:48  mul mul mul mul add mul tanh add mul
#include "rows.cuh"
#include "tile.cuh"

namespace tessera {

struct contract_add_mul_tanh_c592b8ac_shared {
  Tile<bf16, 64, 64> a[8];
  Tile<bf16, 64, 64> b[8];
  Tile<bf16, 64, 64> staged[4];
  ColumnValues<bf16, 64> bias_columns[2];
  Channel<8, 2> ab;
};

extern "C" __constant__ Launch contract_add_mul_tanh_c592b8ac_launch = {384, 2, sizeof(contract_add_mul_tanh_c592b8ac_shared), {64, 32, 64, 64}, 4, {
    {0, 2, 0, {72, 130}, {1, 72}},
    {1, 2, 0, {72, 200}, {1, 72}},
    {3, 2, 0, {200, 130}, {1, 200}},
    {4, 2, 0, {200, 130}, {1, 200}}}};

extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(384, 1)
contract_add_mul_tanh_c592b8ac(const TensorMap __grid_constant__ x, const TensorMap __grid_constant__ weight, const bf16* __restrict__ bias,
     const TensorMap __grid_constant__ add_value, const TensorMap __grid_constant__ mul_value) {
  contract_add_mul_tanh_c592b8ac_shared& shared = shared_memory<contract_add_mul_tanh_c592b8ac_shared>();
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
          load_to_all<2>(rows<32>(shared.b[s], rank * 32), weight, s, k, n_first + rank * 32);
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
      shared.bias_columns[consumer].bring(bias + n_first, 200 - n_first);
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
      Vector<bf16, 2> bias_pairs[4];
      finish_with_columns<2, 1, 1>(
          &shared.staged[consumer * 2],
          [&](int first) { shared.bias_columns[consumer].get(first, bias_pairs); },
          [&](int row, int column, int pair, const Vector<float, 2>& sum, u32* packed) {
            const Vector<bf16, 2> bias_at = bias_pairs[pair];
            Vector<float, 2> add_value_at;
            Vector<float, 2> mul_value_at;
#pragma unroll
            for (int i = 0; i < 2; ++i) {
              const float wide_1 = widen(bias_at[i]);
              const float add_1 = sum[i] + wide_1;  // cuda_tile_contract_test.cpp:47
              const float mul_1 = add_1 * half_one_plus_tanh(0.7978846f, 0.044715f, add_1);  // cuda_tile_contract_test.cpp:48
              add_value_at[i] = add_1;
              mul_value_at[i] = mul_1;
            }
            packed[0] = pack<bf16>(add_value_at);
            packed[1] = pack<bf16>(mul_value_at);
          },
          [&](int result, const Tile<bf16, 64, 64>& tile, int row, int column) {
            if (result == 0) store(add_value, tile, n_first + column, m_first + row);
            if (result == 1) store(mul_value, tile, n_first + column, m_first + row);
          },
          sums);
    }
    store_wait_read<0>();
  }
}

}  // namespace tessera
