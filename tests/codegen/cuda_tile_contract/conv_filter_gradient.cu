// kernel contract_mul_sub
//
//   reads      w 72x3x3x64xbf16, x 2x9x11x64xbf16, dy 2x9x11x72xbf16
//   writes     sub_value 72x3x3x64xbf16
//   moves      219.7 kB, 16.7 MFLOP
//   schedule   tile 64 x 64, two warpgroups in turns, steps of 64 of K, 8 stages; copy engine and wgmma; a along rows; b along rows; b through a window; pairs along M share b; sums through shared memory; 18 blocks
//   from       cuda_tile_contract_test.cpp:109  contract
//              cuda_tile_contract_test.cpp:111  mul sub
#include "rows.cuh"
#include "tile.cuh"

namespace tessera {

struct contract_mul_sub_eef2e15d_shared {
  Tile<bf16, 64, 64> a[8];
  Tile<bf16, 64, 64> b[8];
  Tile<float, 72, 64> scratch[2];
  Channel<8, 2> ab;
};

extern "C" __constant__ Launch contract_mul_sub_eef2e15d_launch = {384, 2, sizeof(contract_mul_sub_eef2e15d_shared), {64, 32}, 2, {
    {0, 2, 0, {72, 198}, {1, 72}},
    {1, 4, 0, {64, 11, 9, 2}, {1, 64, 704, 6336}, {{-1, -1}, {-1, -1}, {1, 1}}}}};

extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(384, 1)
contract_mul_sub_eef2e15d(const TensorMap __grid_constant__ dy, const TensorMap __grid_constant__ x, const bf16* __restrict__ w,
     bf16* __restrict__ sub_value) {
  contract_mul_sub_eef2e15d_shared& shared = shared_memory<contract_mul_sub_eef2e15d_shared>();
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
    for (int t = blockIdx.x / 2 + consumer * (gridDim.x / 2); t < tiles.count(); t += gridDim.x / 2 * 2) {
      const Place at = tiles.at(t);
      const int m_first = (at.row * 2 + rank) * 64;
      const int n_first = at.column * 64;
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
      finish_through(
          shared.scratch[consumer],
          [&](int row, int column, const Vector<float, 4>& sum) {
            const int m = m_first + row;
            const int n = n_first + column;
            if (m >= 72) return;
            const Vector<bf16, 4> w_at = load<4>(w + m * 576 + n);
            Vector<bf16, 4> sub_value_at;
#pragma unroll
            for (int i = 0; i < 4; ++i) {
              const float wide_1 = widen(w_at[i]);
              const float mul_1 = 0.1f * sum[i];  // cuda_tile_contract_test.cpp:111
              const float sub_1 = wide_1 - mul_1;
              const bf16 rounded_1 = narrow<bf16>(sub_1);
              sub_value_at[i] = rounded_1;
            }
            store(sub_value + m * 576 + n, sub_value_at);
          },
          sums);
    }
  }
}

}  // namespace tessera
