// kernel contract_mul_add_sub
//
//   reads      moment 768x768xf32, x 16384x768xf32, dy 16384x768xf32, weight 768x768xf32
//   writes     add_value 768x768xf32, sub_value 768x768xf32
//   moves      110.1 MB, 19329.7 MFLOP
//   schedule   tile 32 x 32, steps of 16 of K, 3 stages, 128 threads with 2 x 4 sums; a 4 at once along rows; b 4 at once along rows; 576 blocks
//   from       programs.cpp:42  mul contract add
//              programs.cpp:43  mul sub
#include "contract.cuh"

namespace tessera {

struct contract_mul_add_sub_10dc9465_shared {
  Panel<float, 32, 16, Lie::along_rows> a[3];
  Panel<float, 32, 16, Lie::along_rows> b[3];
};
using contract_mul_add_sub_10dc9465_sums = SumTile<float, 32, 32>;

extern "C" __constant__ Launch contract_mul_add_sub_10dc9465_launch = {128, 1, shared_bytes<contract_mul_add_sub_10dc9465_shared, contract_mul_add_sub_10dc9465_sums>, {}};

extern "C" __global__ void __launch_bounds__(128, 4)
contract_mul_add_sub_10dc9465(const float* __restrict__ dy, const float* __restrict__ x, const float* __restrict__ moment,
    const float* __restrict__ weight, float* __restrict__ add_value, float* __restrict__ sub_value) {
  auto& shared = shared_memory<contract_mul_add_sub_10dc9465_shared>();
  auto& sums = shared_memory<contract_mul_add_sub_10dc9465_sums>();  // where the operands were
  const Place tile = Raster{24, 24, 8}.at(static_cast<int>(blockIdx.x));
  const int m_first = tile.row * 32, n_first = tile.column * 32;
  const int k_first = 0, k_end = 16384;
  const auto a_row = [](int m) { return m; };
  const auto a_column = [](int k) { return k * 768; };
  const Stager<Panel<float, 32, 16, Lie::along_rows>, 4, 128, float, int> a(dy, m_first, 768, a_row);
  const auto b_row = [](int n) { return n; };
  const auto b_column = [](int k) { return k * 768; };
  const Stager<Panel<float, 32, 16, Lie::along_rows>, 4, 128, float, int> b(x, n_first, 768, b_row);
  FmaSums<float, 32, 32, 2, 4> product;
  walk_k<3>(
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
    const Vector<float, 4> sum = load<4>(sums.address(row, column));
    const Vector<float, 4> moment_at = load<4>(moment + m * 768 + n);
    Vector<float, 4> add_value_at;
    const Vector<float, 4> weight_at = load<4>(weight + m * 768 + n);
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
    store(add_value + m * 768 + n, add_value_at);
    store(sub_value + m * 768 + n, sub_value_at);
  }
}

}  // namespace tessera
