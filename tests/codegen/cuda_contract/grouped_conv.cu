// kernel fill
//
//   writes     contract_value 32x4x8x257xf32
//   moves      1.1 MB, 0.0 MFLOP
//   schedule   4 elements a thread, 256 threads a block, 257 blocks
//   from       programs.cpp:85  contract
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch fill_a902809b_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
fill_a902809b(float* __restrict__ contract_value, const i64 vectors) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  if (t >= vectors) return;
  const int first = t * 4;
  Vector<float, 4> contract_value_at;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    contract_value_at[i] = 0.f;
  }
  store(contract_value + first, contract_value_at);
}

}  // namespace tessera

// kernel pad
//
//   reads      x 32x4x8x256xf32
//   writes     value 32x4x8x257xf32
//   moves      2.1 MB, 0.0 MFLOP
//   schedule   1 elements a thread, 256 threads a block, 1024 blocks
//   from       programs.cpp:85  contract
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch pad_f3bd44b1_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
pad_f3bd44b1(const float* __restrict__ x, float* __restrict__ value) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const int d1 = t % 256;
  const int d0 = t / 256;
  const float x_at = x[d0 * 256 + d1];
  value[1 + d0 * 257 + d1] = x_at;
}

}  // namespace tessera

// kernel contract
//
//   reads      value 32x4x8x257xf32, weight 4x8x8x3xf32
//   writes     contract_value 32x4x8x128xf32
//   moves      1.6 MB, 6.3 MFLOP
//   schedule   tile 16 x 64, 16 x 16 a warp, 128 threads, steps of 16 of K, 4 stages; tensor cores, tf32 x 3; a 4 at once along K; b 1 at once along K; 256 blocks
//   from       programs.cpp:85  contract
#include "contract.cuh"

namespace tessera {

struct contract_1143d2ff_shared {
  Panel<float, 16, 16, Lie::along_k> a[4];
  Panel<float, 64, 16, Lie::along_k> b[4];
};
using contract_1143d2ff_sums = SumTile<float, 16, 64>;

extern "C" __constant__ Launch contract_1143d2ff_launch = {128, 1, shared_bytes<contract_1143d2ff_shared, contract_1143d2ff_sums>, {}};

extern "C" __global__ void __launch_bounds__(128, 3)
contract_1143d2ff(const float* __restrict__ weight, const float* __restrict__ value, float* __restrict__ contract_value) {
  auto& shared = shared_memory<contract_1143d2ff_shared>();
  auto& sums = shared_memory<contract_1143d2ff_sums>();  // where the operands were
  const Place tile = Raster{1, 64, 8}.at(static_cast<int>(blockIdx.x) % 64);
  const int m_first = tile.row * 16, n_first = tile.column * 64;
  const int batch = static_cast<int>(blockIdx.x) / 64;
  const int k_first = 0, k_end = 24;
  const auto a_row = [](int m) { return m * 24; };
  const auto a_column = [](int k) { return k; };
  const Stager<Panel<float, 16, 16, Lie::along_k>, 4, 128, float, int> a(weight + batch * 192, m_first, 8, a_row);
  const auto b_row = [](int n) { return n / 128 * 8224 + n % 128 * 2; };
  const auto b_column = [](int k) { return k / 3 * 257 + k % 3; };
  const Stager<Panel<float, 64, 16, Lie::along_k>, 1, 128, float, int> b(value + batch * 2056, n_first, 4096, b_row);
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
    if (m >= 8) continue;
    const int n_2 = n % 128;
    const int n_1 = n / 128;
    const Vector<float, 4> sum = load<4>(sums.address(row, column));
    Vector<float, 4> contract_value_at;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      contract_value_at[i] = sum[i];
    }
    store(contract_value + batch * 1024 + m * 128 + n_1 * 4096 + n_2, contract_value_at);
  }
}

}  // namespace tessera
