// kernel contract
//
//   reads      x 200x136xbf16, weight 264x136xbf16
//   writes     contract_value 200x264xbf16
//   moves      231.8 kB, 14.5 MFLOP
//   schedule   tile 64 x 64, two warpgroups in turns, steps of 64 of K, 8 stages; copy engine and wgmma; a along K; b along K; pairs along M share b; 20 blocks
//   from       cuda_tile_contract_test.cpp:42  contract
#include "rows.cuh"
#include "tile.cuh"

namespace tessera {

struct contract_b5beb928_shared {
  Tile<bf16, 64, 64> a[8];
  Tile<bf16, 64, 64> b[8];
  Tile<bf16, 64, 64> staged[2];
  Channel<8, 2> ab;
};

extern "C" __constant__ Launch contract_b5beb928_launch = {384, 2, sizeof(contract_b5beb928_shared), {64, 32, 64}, 3, {
    {0, 2, 0, {136, 200}, {1, 136}},
    {1, 2, 0, {136, 264}, {1, 136}},
    {2, 2, 0, {264, 200}, {1, 264}}}};

extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(384, 1)
contract_b5beb928(const TensorMap __grid_constant__ x, const TensorMap __grid_constant__ weight,
     const TensorMap __grid_constant__ contract_value) {
  contract_b5beb928_shared& shared = shared_memory<contract_b5beb928_shared>();
  shared.ab.init(1);
  publish_barriers<2>();
  const int rank = cluster_rank();
  const Raster tiles{2, 5, 8};

  if (warpgroup() == 0) {  // producer
    give_registers<24>();
    if (threadIdx.x == 0) {
      Writer ab(shared.ab);
      for (int t = blockIdx.x / 2; t < tiles.count(); t += gridDim.x / 2) {
        const Place at = tiles.at(t);
        const int m_first = (at.row * 2 + rank) * 64;
        const int n_first = at.column * 64;
#pragma unroll 1
        for (int k = 0; k < 136; k += 64) {
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
    if (consumer == 1) ab.skip(3);
    for (int t = blockIdx.x / 2 + consumer * (gridDim.x / 2); t < tiles.count(); t += gridDim.x / 2 * 2) {
      const Place at = tiles.at(t);
      const int m_first = (at.row * 2 + rank) * 64;
      const int n_first = at.column * 64;
      Fragment<64> sums;
      turns.wait();
#pragma unroll 1
      for (int k = 0; k < 136; k += 64) {
        const int s = ab.get();
        mma_abt(sums, rows<64>(shared.a[s], 0), shared.b[s], k > 0);
        mma_wait<1>();
        if (k > 0) ab.release();
      }
      turns.pass();
      mma_wait<0>(sums);
      ab.release();
      ab.skip(3);
      finish<1, 1, 1>(
          &shared.staged[consumer],
          [&](int row, int column, const Vector<float, 2>& sum, u32* packed) {
            Vector<float, 2> contract_value_at;
#pragma unroll
            for (int i = 0; i < 2; ++i) {
              contract_value_at[i] = sum[i];
            }
            packed[0] = pack<bf16>(contract_value_at);
          },
          [&](int result, const Tile<bf16, 64, 64>& tile, int row, int column) {
            store(contract_value, tile, n_first + column, m_first + row);
          },
          sums);
    }
    store_wait_read<0>();
  }
}

}  // namespace tessera
