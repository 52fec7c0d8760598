// kernel fill
//
//   writes     contract_value 64x128x30x30xf32
//   moves      29.5 MB, 0.0 MFLOP
//   schedule   4 elements a thread, 256 threads a block, 7200 blocks
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
//   reads      dy 64x128x28x28xf32
//   writes     value 64x128x30x30xf32
//   moves      55.2 MB, 0.0 MFLOP
//   schedule   1 elements a thread, 256 threads a block, 25088 blocks
//   from       programs.cpp:25  contract
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch pad_9d7d7801_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
pad_9d7d7801(const float* __restrict__ dy, float* __restrict__ value) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const int d2 = t % 28;
  const int d1 = t / 28 % 28;
  const int d0 = t / 28 / 28;
  const float dy_at = dy[d0 * 784 + d1 * 28 + d2];
  value[31 + d0 * 900 + d1 * 30 + d2] = dy_at;
}

}  // namespace tessera

// kernel contract
//
//   reads      value 64x128x30x30xf32, weight 128x64x3x3xf32
//   writes     contract_value 64x64x28x28xf32
//   moves      42.6 MB, 7398.8 MFLOP
//   schedule   tile 64 x 64, 32 x 32 a warp, 128 threads, steps of 16 of K, 4 stages; tensor cores, tf32 x 3; a 1 at once along K; b 1 at once along rows; 784 blocks
//   from       programs.cpp:25  contract
#include "contract.cuh"

namespace tessera {

struct contract_4e3ad2c8_shared {
  Panel<float, 64, 16, Lie::along_k> a[4];
  Panel<float, 64, 16, Lie::along_rows> b[4];
};
using contract_4e3ad2c8_sums = SumTile<float, 64, 64>;

extern "C" __constant__ Launch contract_4e3ad2c8_launch = {128, 1, shared_bytes<contract_4e3ad2c8_shared, contract_4e3ad2c8_sums>, {}};

extern "C" __global__ void __launch_bounds__(128, 2)
contract_4e3ad2c8(const float* __restrict__ weight, const float* __restrict__ value, float* __restrict__ contract_value) {
  auto& shared = shared_memory<contract_4e3ad2c8_shared>();
  auto& sums = shared_memory<contract_4e3ad2c8_sums>();  // where the operands were
  const Place tile = Raster{1, 784, 8}.at(static_cast<int>(blockIdx.x));
  const int m_first = tile.row * 64, n_first = tile.column * 64;
  const int k_first = 0, k_end = 1152;
  const auto a_row = [](int m) { return m * 9; };
  const auto a_column = [](int k) { return k / 9 * 576 - k % 9; };
  const Stager<Panel<float, 64, 16, Lie::along_k>, 1, 128, float, int> a(weight + 8, m_first, 64, a_row);
  const auto b_row = [](int n) { return n / 784 * 115200 + n / 28 % 28 * 30 + n % 28; };
  const auto b_column = [](int k) { return k / 9 * 900 + k / 3 % 3 * 30 + k % 3; };
  const Stager<Panel<float, 64, 16, Lie::along_rows>, 1, 128, float, int> b(value, n_first, 50176, b_row);
  MmaSums<Tf32x3, 64, 64, 32, 32> product;
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
  for (int i = static_cast<int>(threadIdx.x); i < 1024; i += 128) {
    const int row = i / 16, column = i % 16 * 4;
    const int m = m_first + row, n = n_first + column;
    const int n_3 = n % 28;
    const int n_2 = n / 28 % 28;
    const int n_1 = n / 28 / 28;
    const Vector<float, 4> sum = load<4>(sums.address(row, column));
    Vector<float, 4> contract_value_at;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      contract_value_at[i] = sum[i];
    }
    store(contract_value + m * 784 + n_1 * 50176 + n_2 * 28 + n_3, contract_value_at);
  }
}

}  // namespace tessera

// kernel contract
//
//   reads      value 64x64x30x30xf32, dy 64x128x28x28xf32
//   writes     contract_value 128x64x3x3xf32
//   moves      40.7 MB, 7398.8 MFLOP
//   schedule   tile 128 x 128, 64 x 32 a warp, 256 threads, steps of 16 of K, 4 stages; tensor cores, tf32 x 3; a 4 at once along K; b 1 at once along K; K in 24 parts of 2096; 120 blocks
//   from       programs.cpp:25  contract
#include "contract.cuh"

namespace tessera {

struct contract_63a34946_shared {
  Panel<float, 128, 16, Lie::along_k> a[4];
  Panel<float, 128, 16, Lie::along_k> b[4];
};
using contract_63a34946_sums = SumTile<float, 128, 128>;

extern "C" __constant__ Launch contract_63a34946_launch = {256, 1, shared_bytes<contract_63a34946_shared, contract_63a34946_sums>, {}};

extern "C" __global__ void __launch_bounds__(256, 1)
contract_63a34946(const float* __restrict__ dy, const float* __restrict__ value, float* __restrict__ parts) {
  auto& shared = shared_memory<contract_63a34946_shared>();
  auto& sums = shared_memory<contract_63a34946_sums>();  // where the operands were
  const Place tile = Raster{1, 5, 8}.at(static_cast<int>(blockIdx.x) % 5);
  const int m_first = tile.row * 128, n_first = tile.column * 128;
  const int part = static_cast<int>(blockIdx.x) / 5;
  const int k_first = static_cast<int>(part) * 2096, k_end = min(k_first + 2096, 50176);
  const auto a_row = [](int m) { return m * 784; };
  const auto a_column = [](int k) { return k / 784 * 100352 + k % 784; };
  const Stager<Panel<float, 128, 16, Lie::along_k>, 4, 256, float, int> a(dy, m_first, 128, a_row);
  const auto b_row = [](int n) { return n / 9 * 900 + n / 3 % 3 * 30 + n % 3; };
  const auto b_column = [](int k) { return k / 784 * 57600 + k / 28 % 28 * 30 + k % 28; };
  const Stager<Panel<float, 128, 16, Lie::along_k>, 1, 256, float, int> b(value, n_first, 576, b_row);
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
  for (int i = static_cast<int>(threadIdx.x); i < 16384; i += 256) {
    const int row = i / 128, column = i % 128;
    const int m = m_first + row, n = n_first + column;
    if (n >= 576) continue;
    const int n_3 = n % 3;
    const int n_2 = n / 3 % 3;
    const int n_1 = n / 3 / 3;
    const float sum = *sums.address(row, column);
    parts[part * 73728 + m * 576 + n_1 * 9 + n_2 * 3 + n_3] = sum;
  }
}

}  // namespace tessera

// kernel contract_parts
//
//   reads      part 73728xf32
//   writes     contract_value 128x64x3x3xf32
//   moves      7.4 MB, 0.0 MFLOP
//   schedule   24 parts in their order, 1 elements a thread, 256 threads a block, 288 blocks
//   from       programs.cpp:25  contract
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch contract_33b3a740_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
contract_33b3a740(const float* __restrict__ part, float* __restrict__ contract_value) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const int d3 = t % 3;
  const int d2 = t / 3 % 3;
  const int d1 = t / 3 / 3 % 64;
  const int d0 = t / 3 / 3 / 64;
  Vector<float, 1> sum = load_once<1>(part + d0 * 576 + d1 * 9 + d2 * 3 + d3);
#pragma unroll 8
  for (int p = 1; p < 24; ++p) {
    const Vector<float, 1> more = load_once<1>(part + p * 73728 + d0 * 576 + d1 * 9 + d2 * 3 + d3);
#pragma unroll
    for (int i = 0; i < 1; ++i) sum[i] += more[i];
  }
  contract_value[d0 * 576 + d1 * 9 + d2 * 3 + d3] = sum[0];
}

}  // namespace tessera
