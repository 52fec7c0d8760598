// kernel contract_mul_add_sub
//
//   reads      moment 768x768xf32, x 16384x768xf32, dy 16384x768xf32, weight 768x768xf32
//   writes     add_value 768x768xf32, sub_value 768x768xf32
//   moves      110.1 MB, 19329.7 MFLOP
//   schedule   tile 128 x 128, 64 x 32 a warp, 256 threads, steps of 16 of K, 4 stages; tensor cores, tf32 x 3; a 4 at once along rows; b 4 at once along rows; K in 7 parts of 2352; 252 blocks
//   from       programs.cpp:42  mul contract add
//              programs.cpp:43  mul sub
#include "contract.cuh"

namespace tessera {

struct contract_mul_add_sub_aa67b4cd_shared {
  Panel<float, 128, 16, Lie::along_rows> a[4];
  Panel<float, 128, 16, Lie::along_rows> b[4];
};
using contract_mul_add_sub_aa67b4cd_sums = SumTile<float, 128, 128>;

extern "C" __constant__ Launch contract_mul_add_sub_aa67b4cd_launch = {256, 1, shared_bytes<contract_mul_add_sub_aa67b4cd_shared, contract_mul_add_sub_aa67b4cd_sums>, {}};

extern "C" __global__ void __launch_bounds__(256, 1)
contract_mul_add_sub_aa67b4cd(const float* __restrict__ dy, const float* __restrict__ x, float* __restrict__ parts) {
  auto& shared = shared_memory<contract_mul_add_sub_aa67b4cd_shared>();
  auto& sums = shared_memory<contract_mul_add_sub_aa67b4cd_sums>();  // where the operands were
  const Place tile = Raster{6, 6, 8}.at(static_cast<int>(blockIdx.x) % 36);
  const int m_first = tile.row * 128, n_first = tile.column * 128;
  const int part = static_cast<int>(blockIdx.x) / 36;
  const int k_first = static_cast<int>(part) * 2352, k_end = min(k_first + 2352, 16384);
  const auto a_row = [](int m) { return m; };
  const auto a_column = [](int k) { return k * 768; };
  const Stager<Panel<float, 128, 16, Lie::along_rows>, 4, 256, float, int> a(dy, m_first, 768, a_row);
  const auto b_row = [](int n) { return n; };
  const auto b_column = [](int k) { return k * 768; };
  const Stager<Panel<float, 128, 16, Lie::along_rows>, 4, 256, float, int> b(x, n_first, 768, b_row);
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
    Vector<float, 4> parts_at;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      parts_at[i] = sum[i];
    }
    store(parts + part * 589824 + m * 768 + n, parts_at);
  }
}

}  // namespace tessera

// kernel contract_mul_add_sub_parts
//
//   reads      moment 768x768xf32, weight 768x768xf32, part 589824xf32
//   writes     add_value 768x768xf32, sub_value 768x768xf32
//   moves      26.0 MB, 2.4 MFLOP
//   schedule   7 parts in their order, 4 elements a thread, 256 threads a block, 576 blocks
//   from       programs.cpp:42  mul contract add
//              programs.cpp:43  mul sub
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch contract_mul_add_sub_58d6c2f5_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
contract_mul_add_sub_58d6c2f5(const float* __restrict__ moment, const float* __restrict__ weight, const float* __restrict__ part,
    float* __restrict__ add_value, float* __restrict__ sub_value) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const int d1 = t % 192 * 4;
  const int d0 = t / 192;
  Vector<float, 4> sum = load_once<4>(part + d0 * 768 + d1);
#pragma unroll 7
  for (int p = 1; p < 7; ++p) {
    const Vector<float, 4> more = load_once<4>(part + p * 589824 + d0 * 768 + d1);
#pragma unroll
    for (int i = 0; i < 4; ++i) sum[i] += more[i];
  }
  const Vector<float, 4> moment_at = load<4>(moment + d0 * 768 + d1);
  Vector<float, 4> add_value_at;
  const Vector<float, 4> weight_at = load<4>(weight + d0 * 768 + d1);
  Vector<float, 4> sub_value_at;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float mul_1 = 0.9f * moment_at[i];  // programs.cpp:42
    const float add_1 = mul_1 + sum[i];
    add_value_at[i] = add_1;
    const float mul_2 = 0.01f * add_1;  // programs.cpp:43
    const float sub_1 = weight_at[i] - mul_2;
    sub_value_at[i] = sub_1;
  }
  store(add_value + d0 * 768 + d1, add_value_at);
  store(sub_value + d0 * 768 + d1, sub_value_at);
}

}  // namespace tessera
