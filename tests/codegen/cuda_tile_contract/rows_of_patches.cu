// kernel transpose
//
//   reads      x 5x3x32x40xbf16
//   writes     value 5x4x5x3x8x8xbf16
//   moves      76.8 kB, 0.0 MFLOP
//   schedule   8 elements a thread, 256 threads a block, 10 blocks
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch transpose_dd13a13e_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
transpose_dd13a13e(const bf16* __restrict__ x, bf16* __restrict__ value) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  if (t >= 2400) return;
  const int d5 = t % 1 * 8;
  const int d4 = t / 1 % 8;
  const int d3 = t / 1 / 8 % 3;
  const int d2 = t / 1 / 8 / 3 % 5;
  const int d1 = t / 1 / 8 / 3 / 5 % 4;
  const int d0 = t / 1 / 8 / 3 / 5 / 4;
  const Vector<bf16, 8> x_at = load<8>(x + d0 * 3840 + d1 * 320 + d2 * 8 + d3 * 1280 + d4 * 40 + d5);
  Vector<bf16, 8> value_at;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    value_at[i] = x_at[i];
  }
  store(value + d0 * 3840 + d1 * 960 + d2 * 192 + d3 * 64 + d4 * 8 + d5, value_at);
}

}  // namespace tessera
// kernel contract_add
//
//   reads      value 5x4x5x3x8x8xbf16, weight 72x3x8x8xbf16, bias 72xbf16
//   writes     add_value 5x4x5x72xbf16
//   moves      80.6 kB, 2.8 MFLOP
//   schedule   tile 64 x 64, two warpgroups in turns, steps of 64 of K, 8 stages; copy engine and wgmma; a along K; b along K; pairs along M share b; 4 blocks
//   from       cuda_tile_contract_test.cpp:226  contract
//              cuda_tile_contract_test.cpp:229  add
#include "rows.cuh"
#include "tile.cuh"

namespace tessera {

struct contract_add_7d741df7_shared {
  Tile<bf16, 64, 64> a[8];
  Tile<bf16, 64, 64> b[8];
  Tile<bf16, 64, 64> staged[2];
  ColumnValues<bf16, 64> bias_columns[2];
  Channel<8, 2> ab;
};

extern "C" __constant__ Launch contract_add_7d741df7_launch = {384, 2, sizeof(contract_add_7d741df7_shared), {64, 32, 64}, 3, {
    {0, 2, 0, {192, 100}, {1, 192}},
    {1, 2, 0, {192, 72}, {1, 192}},
    {3, 2, 0, {72, 100}, {1, 72}}}};

extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(384, 1)
contract_add_7d741df7(const TensorMap __grid_constant__ value, const TensorMap __grid_constant__ weight, const bf16* __restrict__ bias,
     const TensorMap __grid_constant__ add_value) {
  contract_add_7d741df7_shared& shared = shared_memory<contract_add_7d741df7_shared>();
  shared.ab.init(1);
  publish_barriers<2>();
  const int rank = cluster_rank();
  const Raster tiles{1, 2, 8};

  if (warpgroup() == 0) {  // producer
    give_registers<24>();
    if (threadIdx.x == 0) {
      Writer ab(shared.ab);
      for (int t = blockIdx.x / 2; t < tiles.count(); t += gridDim.x / 2) {
        const Place at = tiles.at(t);
        const int m_first = (at.row * 2 + rank) * 64;
        const int n_first = at.column * 64;
#pragma unroll 1
        for (int k = 0; k < 192; k += 64) {
          const Slot s = ab.put(bytes_of<Tile<bf16, 64, 64>> + bytes_of<Tile<bf16, 64, 64>>);
          load(shared.a[s], value, s, k, m_first);
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
      shared.bias_columns[consumer].bring(bias + n_first, 72 - n_first);
      Fragment<64> sums;
      turns.wait();
#pragma unroll 1
      for (int k = 0; k < 192; k += 64) {
        const int s = ab.get();
        mma_abt(sums, rows<64>(shared.a[s], 0), shared.b[s], k > 0);
        mma_wait<1>();
        if (k > 0) ab.release();
      }
      turns.pass();
      mma_wait<0>(sums);
      ab.release();
      ab.skip(3);
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
              const float add_1 = sum[i] + wide_1;  // cuda_tile_contract_test.cpp:229
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
// kernel contract_mul_sub
//
//   reads      w 72x3x8x8xbf16, value 5x4x5x3x8x8xbf16, dy 5x4x5x72xbf16
//   writes     sub_value 72x3x8x8xbf16
//   moves      108.1 kB, 2.8 MFLOP
//   schedule   tile 64 x 64, two warpgroups in turns, steps of 64 of K, 8 stages; copy engine and wgmma; a along rows; b along rows; pairs along M share b; one input beside the sums; 6 blocks
//   from       cuda_tile_contract_test.cpp:228  contract
//              cuda_tile_contract_test.cpp:229  mul sub
#include "rows.cuh"
#include "tile.cuh"

namespace tessera {

struct contract_mul_sub_47e27d31_shared {
  Tile<bf16, 64, 64> a[8];
  Tile<bf16, 64, 64> b[8];
  Tile<bf16, 64, 64> staged[2];
  Arrivals<1> arrivals[2];
  Channel<8, 2> ab;
};

extern "C" __constant__ Launch contract_mul_sub_47e27d31_launch = {384, 2, sizeof(contract_mul_sub_47e27d31_shared), {64, 32, 64, 64}, 4, {
    {0, 2, 0, {72, 100}, {1, 72}},
    {1, 2, 0, {192, 100}, {1, 192}},
    {2, 2, 0, {192, 72}, {1, 192}},
    {3, 2, 0, {192, 72}, {1, 192}}}};

extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(384, 1)
contract_mul_sub_47e27d31(const TensorMap __grid_constant__ dy, const TensorMap __grid_constant__ value, const TensorMap __grid_constant__ w,
     const TensorMap __grid_constant__ sub_value) {
  contract_mul_sub_47e27d31_shared& shared = shared_memory<contract_mul_sub_47e27d31_shared>();
  init(shared.arrivals);
  shared.ab.init(1);
  publish_barriers<2>();
  const int rank = cluster_rank();
  const Raster tiles{1, 3, 8};

  if (warpgroup() == 0) {  // producer
    give_registers<24>();
    if (threadIdx.x == 0) {
      Writer ab(shared.ab);
      for (int t = blockIdx.x / 2; t < tiles.count(); t += gridDim.x / 2) {
        const Place at = tiles.at(t);
        const int m_first = (at.row * 2 + rank) * 64;
        const int n_first = at.column * 64;
#pragma unroll 1
        for (int k = 0; k < 100; k += 64) {
          const Slot s = ab.put(bytes_of<Tile<bf16, 64, 64>> + bytes_of<Tile<bf16, 64, 64>>);
          load(shared.a[s], dy, s, m_first, k);
          load_to_all<2>(rows<32>(shared.b[s], rank * 32), value, s, n_first, k + rank * 32);
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
      for (int k = 0; k < 100; k += 64) {
        const int s = ab.get();
        mma_atb(sums, columns<64>(shared.a[s], 0), shared.b[s], k > 0);
        mma_wait<1>();
        if (k > 0) ab.release();
      }
      turns.pass();
      mma_wait<0>(sums);
      ab.release();
      ab.skip(2);
      finish_beside<1>(
          &shared.staged[consumer],
          beside, bring,
          [&](int row, int column, const Vector<float, 2>& sum, const u32* brought, u32* packed) {
            const Vector<bf16, 2> w_at = unpack<bf16>(brought[0]);
            Vector<float, 2> sub_value_at;
#pragma unroll
            for (int i = 0; i < 2; ++i) {
              const float wide_1 = widen(w_at[i]);
              const float mul_1 = 0.1f * sum[i];  // cuda_tile_contract_test.cpp:229
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
