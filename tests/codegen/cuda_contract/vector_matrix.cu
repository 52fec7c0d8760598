// kernel contract
//
//   reads      x 1x768xf32, weight 768x50304xf32
//   writes     contract_value 1x50304xf32
//   moves      154.7 MB, 77.3 MFLOP
//   schedule   tile 16 x 64, 16 x 16 a warp, 128 threads, steps of 16 of K, 4 stages; tensor cores, tf32 x 3; a 4 at once along K; b 4 at once along rows; 786 blocks
//   from       programs.cpp:55  contract
#include "contract.cuh"

namespace tessera {

struct contract_e0b5db94_shared {
  Panel<float, 16, 16, Lie::along_k> a[4];
  Panel<float, 64, 16, Lie::along_rows> b[4];
};
using contract_e0b5db94_sums = SumTile<float, 16, 64>;

extern "C" __constant__ Launch contract_e0b5db94_launch = {128, 1, shared_bytes<contract_e0b5db94_shared, contract_e0b5db94_sums>, {}};

extern "C" __global__ void __launch_bounds__(128, 4)
contract_e0b5db94(const float* __restrict__ x, const float* __restrict__ weight, float* __restrict__ contract_value) {
  auto& shared = shared_memory<contract_e0b5db94_shared>();
  auto& sums = shared_memory<contract_e0b5db94_sums>();  // where the operands were
  const Place tile = Raster{1, 786, 8}.at(static_cast<int>(blockIdx.x));
  const int m_first = tile.row * 16, n_first = tile.column * 64;
  const int k_first = 0, k_end = 768;
  const auto a_row = [](int m) { return 0; };
  const auto a_column = [](int k) { return k; };
  const Stager<Panel<float, 16, 16, Lie::along_k>, 4, 128, float, int> a(x, m_first, 1, a_row);
  const auto b_row = [](int n) { return n; };
  const auto b_column = [](int k) { return k * 50304; };
  const Stager<Panel<float, 64, 16, Lie::along_rows>, 4, 128, float, int> b(weight, n_first, 50304, b_row);
  MmaSums<Tf32x3, 16, 64, 16, 16> product;
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
  for (int i = static_cast<int>(threadIdx.x); i < 256; i += 128) {
    const int row = i / 16, column = i % 16 * 4;
    const int m = m_first + row, n = n_first + column;
    if (m >= 1) continue;
    const Vector<float, 4> sum = load<4>(sums.address(row, column));
    Vector<float, 4> contract_value_at;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      contract_value_at[i] = sum[i];
    }
    store(contract_value + n, contract_value_at);
  }
}

}  // namespace tessera
