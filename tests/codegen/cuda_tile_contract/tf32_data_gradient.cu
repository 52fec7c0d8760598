// kernel contract_add
//
//   reads      r 136x202xf32, dy 136x76xf32, weight 74x204xf32
//   writes     add_value 136x202xf32
//   moves      321.5 kB, 4.1 MFLOP
//   schedule   tile 64 x 64, two warpgroups in turns, steps of 32 of K, 8 stages; copy engine and wgmma; a along K; b along K; tf32; b copied before; pairs along M share b; sums through shared memory; 16 blocks
//   from       cuda_tile_contract_test.cpp:156  contract add
#include "rows.cuh"
#include "tile.cuh"

namespace tessera {

struct contract_add_2369bd48_shared {
  Tile<tf32, 64, 32> a[8];
  Tile<tf32, 64, 32> b[8];
  Tile<float, 72, 64> scratch[2];
  Channel<8, 2> ab;
};

extern "C" __constant__ Launch contract_add_2369bd48_launch = {384, 2, sizeof(contract_add_2369bd48_shared), {64, 32}, 2, {
    {0, 2, 0, {74, 136}, {1, 76}, {}, {}, MapElement::tf32},
    {1, 2, 0, {74, 202}, {1, 76}, {}, {}, MapElement::tf32}}};

extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(384, 1)
contract_add_2369bd48(const TensorMap __grid_constant__ dy, const TensorMap __grid_constant__ weight, const float* __restrict__ r,
     float* __restrict__ add_value) {
  contract_add_2369bd48_shared& shared = shared_memory<contract_add_2369bd48_shared>();
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
        for (int k = 0; k < 74; k += 32) {
          const Slot s = ab.put(bytes_of<Tile<tf32, 64, 32>> + bytes_of<Tile<tf32, 64, 32>>);
          load(shared.a[s], dy, s, k, m_first);
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
      for (int k = 0; k < 74; k += 32) {
        const int s = ab.get();
        mma_abt(sums, rows<64>(shared.a[s], 0), shared.b[s], k > 0);
        mma_wait<1>();
        if (k > 0) ab.release();
      }
      turns.pass();
      mma_wait<0>(sums);
      ab.release();
      ab.skip(3);
      finish_through(
          shared.scratch[consumer],
          [&](int row, int column, const Vector<float, 4>& sum) {
            const int m = m_first + row;
            const int n = n_first + column;
            if (m >= 136 || n >= 202) return;
            const int left = 202 - static_cast<int>(n);
#pragma unroll
            for (int i = 0; i < 4; ++i) {
              if (i >= left) continue;
              const float r_at = r[m * 202 + n + i];
              const float add_1 = r_at + sum[i];  // cuda_tile_contract_test.cpp:156
              add_value[m * 202 + n + i] = add_1;
            }
          },
          sums);
    }
  }
}

}  // namespace tessera
// kernel contract_add_operand
//
//   moves      0.1 MB
//   x          tiles of 64 x 64 through shared memory, 256 threads: turned; 8 blocks
#include "operand_copies.cuh"

namespace tessera {

extern "C" __constant__ Launch contract_add_operand_e92e142f_launch = {256, 1, sizeof(TurnTile), {}};

extern "C" __global__ void __launch_bounds__(256)
contract_add_operand_e92e142f(const float* __restrict__ x,
    float* __restrict__ x_turned) {
  const int block = static_cast<int>(blockIdx.x);
  turn<202, 74, 4, int>({x_turned, nullptr}, {nullptr, nullptr}, x, 204, block);
}

}  // namespace tessera
