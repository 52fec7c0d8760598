// kernel contract_mul_sub
//
//   reads      w 72x3x3x64xbf16, x 2x9x11x64xbf16, dy 2x9x11x72xbf16
//   writes     sub_value 72x3x3x64xbf16
//   moves      219.7 kB, 16.7 MFLOP
//   schedule   tile 64 x 64, two warpgroups in turns, steps of 64 of K, 8 stages; copy engine and wgmma; a along rows; b along rows; b through a window; pairs along M share b; one input beside the sums; 18 blocks
//   from       cuda_tile_contract_test.cpp:109  contract
//              cuda_tile_contract_test.cpp:111  mul sub
#include "rows.cuh"
#include "tile.cuh"

namespace tessera {

struct contract_mul_sub_c9b2028c_shared {
  Tile<bf16, 64, 64> a[8];
  Tile<bf16, 64, 64> b[8];
  Tile<bf16, 64, 64> staged[2];
  Arrivals<1> arrivals[2];
  Channel<8, 2> ab;
};

extern "C" __constant__ Launch contract_mul_sub_c9b2028c_launch = {384, 2, sizeof(contract_mul_sub_c9b2028c_shared), {64, 32, 64, 64}, 4, {
    {0, 2, 0, {72, 198}, {1, 72}},
    {1, 4, 0, {64, 11, 9, 2}, {1, 64, 704, 6336}, {{-1, -1}, {-1, -1}, {1, 1}}},
    {2, 2, 0, {576, 72}, {1, 576}},
    {3, 2, 0, {576, 72}, {1, 576}}}};

extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(384, 1)
contract_mul_sub_c9b2028c(const TensorMap __grid_constant__ dy, const TensorMap __grid_constant__ x, const TensorMap __grid_constant__ w,
     const TensorMap __grid_constant__ sub_value) {
  contract_mul_sub_c9b2028c_shared& shared = shared_memory<contract_mul_sub_c9b2028c_shared>();
  init(shared.arrivals);
  shared.ab.init(1);
  publish_barriers<2>();
  const int rank = cluster_rank();
  const Raster tiles{1, 9, 8};

  if (warpgroup() == 0) {  // producer
    give_registers<24>();
    if (threadIdx.x == 0) {
      Writer ab(shared.ab);
      for (int t = blockIdx.x / 2; t < tiles.count(); t += gridDim.x / 2) {
        const Place at = tiles.at(t);
        const int m_first = (at.row * 2 + rank) * 64;
        const int n_first = at.column * 64;
#pragma unroll 1
        for (int k = 0; k < 198; k += 64) {
          const Slot s = ab.put(bytes_of<Tile<bf16, 64, 64>> + bytes_of<Tile<bf16, 64, 64>>);
          load(shared.a[s], dy, s, m_first, k);
          load_window_to_all<2>(rows<32>(shared.b[s], rank * 32), x, s, 0, (k + rank * 32) % 11 - 1, (k + rank * 32) / 11 % 9 - 1, (k + rank * 32) / 99, {n_first / 64 % 3, n_first / 64 / 3 % 3});
        }
      }
      ab.drain();
    }
  } else {  // consumer
    take_registers<240>();
    const int consumer = warpgroup() - 1;
    Reader ab(shared.ab);
    Turns<2> turns(consumer);
    if (consumer == 1) ab.skip(4);
    Beside<1, 1, 1> beside(shared.arrivals[consumer]);
    for (int t = blockIdx.x / 2 + consumer * (gridDim.x / 2); t < tiles.count(); t += gridDim.x / 2 * 2) {
      const Place at = tiles.at(t);
      const int m_first = (at.row * 2 + rank) * 64;
      const int n_first = at.column * 64;
      const auto bring = [&](int input, const Tile<bf16, 64, 64>& tile, const Slot& slot, int row, int column) {
        load(tile, w, slot, n_first + column, m_first + row);
      };
      beside.begin<64, 1>(&shared.staged[consumer], bring);
      Fragment<64> sums;
      turns.wait();
#pragma unroll 1
      for (int k = 0; k < 198; k += 64) {
        const int s = ab.get();
        mma_atb(sums, columns<64>(shared.a[s], 0), shared.b[s], k > 0);
        mma_wait<1>();
        if (k > 0) ab.release();
      }
      turns.pass();
      mma_wait<0>(sums);
      ab.release();
      ab.skip(4);
      finish_beside<1>(
          &shared.staged[consumer],
          beside, bring,
          [&](int row, int column, const Vector<float, 2>& sum, const u32* brought, u32* packed) {
            const Vector<bf16, 2> w_at = unpack<bf16>(brought[0]);
            Vector<float, 2> sub_value_at;
#pragma unroll
            for (int i = 0; i < 2; ++i) {
              const float wide_1 = widen(w_at[i]);
              const float mul_1 = 0.1f * sum[i];  // cuda_tile_contract_test.cpp:111
              const float sub_1 = wide_1 - mul_1;
              sub_value_at[i] = sub_1;
            }
            packed[0] = pack<bf16>(sub_value_at);
          },
          [&](int result, const Tile<bf16, 64, 64>& tile, int row, int column) {
            store(sub_value, tile, n_first + column, m_first + row);
          },
          sums);
    }
    store_wait_read<0>();
  }
}

}  // namespace tessera
