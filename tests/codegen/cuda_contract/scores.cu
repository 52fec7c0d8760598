// kernel contract_mul
//
//   reads      q 16x1024x12x64xf32, k 16x1024x12x64xf32
//   writes     mul_value 16x12x1024x1024xf32
//   moves      906.0 MB, 25971.1 MFLOP
//   schedule   tile 128 x 128, 64 x 32 a warp, 256 threads, steps of 16 of K, 4 stages; tensor cores, tf32 x 3; a 4 at once along K; b 4 at once along K; 12288 blocks
//   from       programs.cpp:49  contract mul
#include "contract.cuh"

namespace tessera {

struct contract_mul_68b5bd1c_shared {
  Panel<float, 128, 16, Lie::along_k> a[4];
  Panel<float, 128, 16, Lie::along_k> b[4];
};
using contract_mul_68b5bd1c_sums = SumTile<float, 128, 128>;

extern "C" __constant__ Launch contract_mul_68b5bd1c_launch = {256, 1, shared_bytes<contract_mul_68b5bd1c_shared, contract_mul_68b5bd1c_sums>, {}};

extern "C" __global__ void __launch_bounds__(256, 1)
contract_mul_68b5bd1c(const float* __restrict__ q, const float* __restrict__ k_2, float* __restrict__ mul_value) {
  auto& shared = shared_memory<contract_mul_68b5bd1c_shared>();
  auto& sums = shared_memory<contract_mul_68b5bd1c_sums>();  // where the operands were
  const Place tile = Raster{8, 8, 8}.at(static_cast<int>(blockIdx.x) % 64);
  const int m_first = tile.row * 128, n_first = tile.column * 128;
  const int batch = static_cast<int>(blockIdx.x) / 64;
  const int k_first = 0, k_end = 64;
  const auto a_row = [](int m) { return m * 768; };
  const auto a_column = [](int k) { return k; };
  const Stager<Panel<float, 128, 16, Lie::along_k>, 4, 256, float, int> a(q + batch / 12 * 786432 + batch % 12 * 64, m_first, 1024, a_row);
  const auto b_row = [](int n) { return n * 768; };
  const auto b_column = [](int k) { return k; };
  const Stager<Panel<float, 128, 16, Lie::along_k>, 4, 256, float, int> b(k_2 + batch / 12 * 786432 + batch % 12 * 64, n_first, 1024, b_row);
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
    const int batch_2 = batch % 12;
    const int batch_1 = batch / 12;
    const Vector<float, 4> sum = load<4>(sums.address(row, column));
    Vector<float, 4> mul_value_at;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float mul_1 = sum[i] * 0.125f;  // programs.cpp:49
      mul_value_at[i] = mul_1;
    }
    store(mul_value + batch_1 * 12582912 + batch_2 * 1048576 + m * 1024 + n, mul_value_at);
  }
}

}  // namespace tessera
