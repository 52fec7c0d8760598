// kernel contract
//
//   reads      x 1000x12x9xf32, y 1000x9x10xf32
//   writes     contract_value 1000x12x10xf32
//   moves      1.3 MB, 2.2 MFLOP
//   schedule   tile 32 x 32, 16 x 16 a warp, 128 threads, steps of 16 of K, 4 stages; tensor cores, tf32 x 3; a 1 at once along K; b 2 at once along rows; 1000 blocks
//   from       programs.cpp:66  contract
#include "contract.cuh"

namespace tessera {

struct contract_57df63d5_shared {
  Panel<float, 32, 16, Lie::along_k> a[4];
  Panel<float, 32, 16, Lie::along_rows> b[4];
};
using contract_57df63d5_sums = SumTile<float, 32, 32>;

extern "C" __constant__ Launch contract_57df63d5_launch = {128, 1, shared_bytes<contract_57df63d5_shared, contract_57df63d5_sums>, {}};

extern "C" __global__ void __launch_bounds__(128, 3)
contract_57df63d5(const float* __restrict__ x, const float* __restrict__ y, float* __restrict__ contract_value) {
  auto& shared = shared_memory<contract_57df63d5_shared>();
  auto& sums = shared_memory<contract_57df63d5_sums>();  // where the operands were
  const Place tile = Raster{1, 1, 8}.at(static_cast<int>(blockIdx.x) % 1);
  const int m_first = tile.row * 32, n_first = tile.column * 32;
  const int batch = static_cast<int>(blockIdx.x);
  const int k_first = 0, k_end = 9;
  const auto a_row = [](int m) { return m * 9; };
  const auto a_column = [](int k) { return k; };
  const Stager<Panel<float, 32, 16, Lie::along_k>, 1, 128, float, int> a(x + batch * 108, m_first, 12, a_row);
  const auto b_row = [](int n) { return n; };
  const auto b_column = [](int k) { return k * 10; };
  const Stager<Panel<float, 32, 16, Lie::along_rows>, 2, 128, float, int> b(y + batch * 90, n_first, 10, b_row);
  MmaSums<Tf32x3, 32, 32, 16, 16> product;
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
    const int row = i / 8, column = i % 8 * 4;
    const int m = m_first + row, n = n_first + column;
    if (m >= 12 || n >= 10) continue;
    const int left = 10 - static_cast<int>(n);
    const Vector<float, 4> sum = load<4>(sums.address(row, column));
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (i >= left) continue;
      contract_value[batch * 120 + m * 10 + n + i] = sum[i];
    }
  }
}

}  // namespace tessera
