// kernel contract_cast_mul_add_etc
//
//   reads      dy 200x64xbf16, weight 64x264xbf16, h 200x264xbf16
//   writes     cast_value 200x264xbf16
//   moves      270.6 kB, 8.3 MFLOP
//   schedule   tile 64 x 64, two warpgroups in turns, steps of 64 of K, 8 stages; copy engine and wgmma; a along K; b along rows; pairs along M share b; one input beside the sums; 20 blocks
//   from       programs.cpp:119  contract
//              programs.cpp:120  cast mul mul mul mul mul add mul tanh mul sub mul mul mul mul add mul mul add add add mul mul add cast
//              programs.cpp:118  cast
#include "rows.cuh"
#include "tile.cuh"

namespace tessera {

struct contract_cast_mul_add_etc_84f402cf_shared {
  Tile<bf16, 64, 64> a[8];
  Tile<bf16, 64, 64> b[8];
  Tile<bf16, 64, 64> staged[2];
  Arrivals<1> arrivals[2];
  Channel<8, 2> ab;
};

extern "C" __constant__ Launch contract_cast_mul_add_etc_84f402cf_launch = {384, 2, sizeof(contract_cast_mul_add_etc_84f402cf_shared), {64, 32, 64, 64}, 4, {
    {0, 2, 0, {64, 200}, {1, 64}},
    {1, 2, 0, {264, 64}, {1, 264}},
    {2, 2, 0, {264, 200}, {1, 264}},
    {3, 2, 0, {264, 200}, {1, 264}}}};

extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(384, 1)
contract_cast_mul_add_etc_84f402cf(const TensorMap __grid_constant__ dy, const TensorMap __grid_constant__ weight,
     const TensorMap __grid_constant__ h, const TensorMap __grid_constant__ cast_value) {
  contract_cast_mul_add_etc_84f402cf_shared& shared = shared_memory<contract_cast_mul_add_etc_84f402cf_shared>();
  init(shared.arrivals);
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
        for (int k = 0; k < 64; k += 64) {
          const Slot s = ab.put(bytes_of<Tile<bf16, 64, 64>> + bytes_of<Tile<bf16, 64, 64>>);
          load(shared.a[s], dy, s, k, m_first);
          load_to_all<2>(rows<32>(shared.b[s], rank * 32), weight, s, n_first, k + rank * 32);
        }
      }
      ab.drain();
    }
  } else {  // consumer
    take_registers<240>();
    const int consumer = warpgroup() - 1;
    Reader ab(shared.ab);
    Turns<2> turns(consumer);
    if (consumer == 1) ab.skip(1);
    Beside<1, 1, 1> beside(shared.arrivals[consumer]);
    for (int t = blockIdx.x / 2 + consumer * (gridDim.x / 2); t < tiles.count(); t += gridDim.x / 2 * 2) {
      const Place at = tiles.at(t);
      const int m_first = (at.row * 2 + rank) * 64;
      const int n_first = at.column * 64;
      const auto bring = [&](int input, const Tile<bf16, 64, 64>& tile, const Slot& slot, int row, int column) {
        load(tile, h, slot, n_first + column, m_first + row);
      };
      beside.begin<64, 1>(&shared.staged[consumer], bring);
      Fragment<64> sums;
      turns.wait();
      for (int k = 0; k < 64; k += 64) {
        const int s = ab.get();
        mma_ab(sums, rows<64>(shared.a[s], 0), shared.b[s], k > 0);
        mma_wait<1>();
        if (k > 0) ab.release();
      }
      turns.pass();
      mma_wait<0>(sums);
      ab.release();
      ab.skip(1);
      finish_beside<1>(
          &shared.staged[consumer],
          beside, bring,
          [&](int row, int column, const Vector<float, 2>& sum, const u32* brought, u32* packed) {
            const Vector<bf16, 2> h_at = unpack<bf16>(brought[0]);
            Vector<float, 2> cast_value_at;
#pragma unroll
            for (int i = 0; i < 2; ++i) {
              const float wide_1 = widen(h_at[i]);
              const float half_1 = half_one_plus_tanh(0.7978846f, 0.044715f, wide_1);  // programs.cpp:120
              const float slope_1 = ::fmaf(-half_1, half_1, half_1);
              const float add_1 = sum[i] * ::fmaf(wide_1 * slope_1, ::fmaf(0.21406445f, wide_1 * wide_1, 1.5957692f), half_1);
              cast_value_at[i] = add_1;
            }
            packed[0] = pack<bf16>(cast_value_at);
          },
          [&](int result, const Tile<bf16, 64, 64>& tile, int row, int column) {
            store(cast_value, tile, n_first + column, m_first + row);
          },
          sums);
    }
    store_wait_read<0>();
  }
}

}  // namespace tessera
