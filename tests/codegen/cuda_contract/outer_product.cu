// kernel contract
//
//   reads      x 2048xf32, y 4096xf32
//   writes     contract_value 2048x4096xf32
//   moves      33.6 MB, 16.8 MFLOP
//   schedule   tile 128 x 128, 64 x 32 a warp, 256 threads, steps of 16 of K, 4 stages; tensor cores, tf32 x 3; a 4 at once along rows; b 4 at once along rows; 512 blocks
//   from       programs.cpp:60  contract
#include "contract.cuh"

namespace tessera {

struct contract_6f5f5643_shared {
  Panel<float, 128, 16, Lie::along_rows> a[4];
  Panel<float, 128, 16, Lie::along_rows> b[4];
};
using contract_6f5f5643_sums = SumTile<float, 128, 128>;

extern "C" __constant__ Launch contract_6f5f5643_launch = {256, 1, shared_bytes<contract_6f5f5643_shared, contract_6f5f5643_sums>, {}};

extern "C" __global__ void __launch_bounds__(256, 1)
contract_6f5f5643(const float* __restrict__ x, const float* __restrict__ y, float* __restrict__ contract_value) {
  auto& shared = shared_memory<contract_6f5f5643_shared>();
  auto& sums = shared_memory<contract_6f5f5643_sums>();  // where the operands were
  const Place tile = Raster{16, 32, 8}.at(static_cast<int>(blockIdx.x));
  const int m_first = tile.row * 128, n_first = tile.column * 128;
  const int k_first = 0, k_end = 1;
  const auto a_row = [](int m) { return m; };
  const auto a_column = [](int k) { return 0; };
  const Stager<Panel<float, 128, 16, Lie::along_rows>, 4, 256, float, int> a(x, m_first, 2048, a_row);
  const auto b_row = [](int n) { return n; };
  const auto b_column = [](int k) { return 0; };
  const Stager<Panel<float, 128, 16, Lie::along_rows>, 4, 256, float, int> b(y, n_first, 4096, b_row);
  MmaSums<Tf32x3, 128, 128, 64, 32> product;
  walk_k<4>(
      (k_end - k_first + 15) / 16,
      [&](int slot, int step) {
        const int k = k_first + step * 16;
        a.load(shared.a[slot], k, k_end, a_column);
        b.load(shared.b[slot], k, k_end, b_column);
      },
      [&](int slot) { product.add(shared.a[slot], shared.b[slot]); });
  product.put(sums);
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x); i < 4096; i += 256) {
    const int row = i / 32, column = i % 32 * 4;
    const int m = m_first + row, n = n_first + column;
    const Vector<float, 4> sum = load<4>(sums.address(row, column));
    Vector<float, 4> contract_value_at;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      contract_value_at[i] = sum[i];
    }
    store(contract_value + m * 4096 + n, contract_value_at);
  }
}

}  // namespace tessera
