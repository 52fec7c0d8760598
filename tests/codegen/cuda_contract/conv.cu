// kernel fill
//
//   writes     contract_value 64x64x30x30xf32
//   moves      14.7 MB, 0.0 MFLOP
//   schedule   4 elements a thread, 256 threads a block, 3600 blocks
//   from       programs.cpp:25  contract
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
//   reads      x 64x64x28x28xf32
//   writes     value 64x64x30x30xf32
//   moves      27.6 MB, 0.0 MFLOP
//   schedule   1 elements a thread, 256 threads a block, 12544 blocks
//   from       programs.cpp:25  contract
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch pad_9d7d7801_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
pad_9d7d7801(const float* __restrict__ x, float* __restrict__ value) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const int d2 = t % 28;
  const int d1 = t / 28 % 28;
  const int d0 = t / 28 / 28;
  const float x_at = x[d0 * 784 + d1 * 28 + d2];
  value[31 + d0 * 900 + d1 * 30 + d2] = x_at;
}

}  // namespace tessera

// kernel contract_add_max
//
//   reads      value 64x64x30x30xf32, weight 128x64x3x3xf32, bias 128x1x1xf32
//   writes     max_value 64x128x28x28xf32
//   moves      40.7 MB, 7411.6 MFLOP
//   schedule   tile 128 x 128, 64 x 32 a warp, 256 threads, steps of 16 of K, 4 stages; tensor cores, tf32 x 3; a 4 at once along K; b 1 at once along rows; 392 blocks
//   from       programs.cpp:25  contract
//              programs.cpp:72  add max
#include "contract.cuh"

namespace tessera {

struct contract_add_max_f5d2a10b_shared {
  Panel<float, 128, 16, Lie::along_k> a[4];
  Panel<float, 128, 16, Lie::along_rows> b[4];
};
using contract_add_max_f5d2a10b_sums = SumTile<float, 128, 128>;

extern "C" __constant__ Launch contract_add_max_f5d2a10b_launch = {256, 1, shared_bytes<contract_add_max_f5d2a10b_shared, contract_add_max_f5d2a10b_sums>, {}};

extern "C" __global__ void __launch_bounds__(256, 1)
contract_add_max_f5d2a10b(const float* __restrict__ weight, const float* __restrict__ value, const float* __restrict__ bias,
    float* __restrict__ max_value) {
  auto& shared = shared_memory<contract_add_max_f5d2a10b_shared>();
  auto& sums = shared_memory<contract_add_max_f5d2a10b_sums>();  // where the operands were
  const Place tile = Raster{1, 392, 8}.at(static_cast<int>(blockIdx.x));
  const int m_first = tile.row * 128, n_first = tile.column * 128;
  const int k_first = 0, k_end = 576;
  const auto a_row = [](int m) { return m * 576; };
  const auto a_column = [](int k) { return k; };
  const Stager<Panel<float, 128, 16, Lie::along_k>, 4, 256, float, int> a(weight, m_first, 128, a_row);
  const auto b_row = [](int n) { return n / 784 * 57600 + n / 28 % 28 * 30 + n % 28; };
  const auto b_column = [](int k) { return k / 9 * 900 + k / 3 % 3 * 30 + k % 3; };
  const Stager<Panel<float, 128, 16, Lie::along_rows>, 1, 256, float, int> b(value, n_first, 50176, b_row);
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
    const int n_3 = n % 28;
    const int n_2 = n / 28 % 28;
    const int n_1 = n / 28 / 28;
    const float bias_at = bias[m];
    const Vector<float, 4> sum = load<4>(sums.address(row, column));
    Vector<float, 4> max_value_at;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float add_1 = sum[i] + bias_at;  // programs.cpp:72
      const float larger_1 = maximum(add_1, 0.f);
      max_value_at[i] = larger_1;
    }
    store(max_value + m * 784 + n_1 * 100352 + n_2 * 28 + n_3, max_value_at);
  }
}

}  // namespace tessera
