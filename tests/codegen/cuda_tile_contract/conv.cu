// kernel contract_add
//
//   reads      x 2x9x11x72xbf16, weight 136x3x3x72xbf16, bias 136xbf16
//   writes     add_value 2x9x11x136xbf16
//   moves      258.9 kB, 35.0 MFLOP
//   schedule   tile 64 x 64, two warpgroups in turns, steps of 64 of K, 8 stages; copy engine and wgmma; a along K; b along K; a through a window; pairs along M share b; 12 blocks
//   from       cuda_tile_contract_test.cpp:80  contract
//              cuda_tile_contract_test.cpp:82  add
#include "rows.cuh"
#include "tile.cuh"

namespace tessera {

struct contract_add_18f8455f_shared {
  Tile<bf16, 64, 64> a[8];
  Tile<bf16, 64, 64> b[8];
  Tile<bf16, 64, 64> staged[2];
  ColumnValues<bf16, 64> bias_columns[2];
  Channel<8, 2> ab;
};

extern "C" __constant__ Launch contract_add_18f8455f_launch = {384, 2, sizeof(contract_add_18f8455f_shared), {64, 32, 64}, 3, {
    {0, 4, 0, {72, 11, 9, 2}, {1, 72, 792, 7128}, {{-1, -1}, {-1, -1}, {1, 1}}},
    {1, 3, 0, {72, 136, 9}, {1, 648, 72}},
    {3, 2, 0, {136, 198}, {1, 136}}}};

extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(384, 1)
contract_add_18f8455f(const TensorMap __grid_constant__ x, const TensorMap __grid_constant__ weight, const bf16* __restrict__ bias,
     const TensorMap __grid_constant__ add_value) {
  contract_add_18f8455f_shared& shared = shared_memory<contract_add_18f8455f_shared>();
  shared.ab.init(1);
  publish_barriers<2>();
  const int rank = cluster_rank();
  const Raster tiles{2, 3, 8};

  if (warpgroup() == 0) {  // producer
    give_registers<24>();
    if (threadIdx.x == 0) {
      Writer ab(shared.ab);
      for (int t = blockIdx.x / 2; t < tiles.count(); t += gridDim.x / 2) {
        const Place at = tiles.at(t);
        const int m_first = (at.row * 2 + rank) * 64;
        const int n_first = at.column * 64;
#pragma unroll 1
        for (int k = 0; k < 1152; k += 64) {
          const Slot s = ab.put(bytes_of<Tile<bf16, 64, 64>> + bytes_of<Tile<bf16, 64, 64>>);
          load_window(shared.a[s], x, s, k % 128, m_first % 11 - 1, m_first / 11 % 9 - 1, m_first / 99, {k / 128 % 3, k / 128 / 3 % 3});
          load_to_all<2>(rows<32>(shared.b[s], rank * 32), weight, s, k % 128, n_first + rank * 32, k / 128);
        }
      }
      ab.drain();
    }
  } else {  // consumer
    take_registers<240>();
    const int consumer = warpgroup() - 1;
    Reader ab(shared.ab);
    Turns<2> turns(consumer);
    if (consumer == 1) ab.skip(18);
    for (int t = blockIdx.x / 2 + consumer * (gridDim.x / 2); t < tiles.count(); t += gridDim.x / 2 * 2) {
      const Place at = tiles.at(t);
      const int m_first = (at.row * 2 + rank) * 64;
      const int n_first = at.column * 64;
      shared.bias_columns[consumer].bring(bias + n_first, 136 - n_first);
      Fragment<64> sums;
      turns.wait();
#pragma unroll 1
      for (int k = 0; k < 1152; k += 64) {
        const int s = ab.get();
        mma_abt(sums, rows<64>(shared.a[s], 0), shared.b[s], k > 0);
        mma_wait<1>();
        if (k > 0) ab.release();
      }
      turns.pass();
      mma_wait<0>(sums);
      ab.release();
      ab.skip(18);
      Vector<bf16, 2> bias_pairs[4];
      finish_with_columns<1, 1, 1>(
          &shared.staged[consumer],
          [&](int first) { shared.bias_columns[consumer].get(first, bias_pairs); },
          [&](int row, int column, int pair, const Vector<float, 2>& sum, u32* packed) {
            const Vector<bf16, 2> bias_at = bias_pairs[pair];
            Vector<float, 2> add_value_at;
#pragma unroll
            for (int i = 0; i < 2; ++i) {
              const float wide_1 = widen(bias_at[i]);
              const float add_1 = sum[i] + wide_1;  // cuda_tile_contract_test.cpp:82
              add_value_at[i] = add_1;
            }
            packed[0] = pack<bf16>(add_value_at);
          },
          [&](int result, const Tile<bf16, 64, 64>& tile, int row, int column) {
            store(add_value, tile, n_first + column, m_first + row);
          },
          sums);
    }
    store_wait_read<0>();
  }
}

}  // namespace tessera
