// kernel contract_add_mul_tanh
//
//   reads      x 4096x768xf32, weight 3072x768xf32, bias 3072xf32
//   writes     mul_value 4096x3072xf32
//   moves      72.4 MB, 19453.2 MFLOP
//   schedule   tile 128 x 128, 64 x 32 a warp, 256 threads, steps of 16 of K, 4 stages; tensor cores, tf32 x 3; a 4 at once along K; b 4 at once along K; 768 blocks
//   from       programs.cpp:35  contract add mul mul mul mul add mul tanh add mul
#include "contract.cuh"

namespace tessera {

struct contract_add_mul_tanh_74c3b8ab_shared {
  Panel<float, 128, 16, Lie::along_k> a[4];
  Panel<float, 128, 16, Lie::along_k> b[4];
};
using contract_add_mul_tanh_74c3b8ab_sums = SumTile<float, 128, 128>;

extern "C" __constant__ Launch contract_add_mul_tanh_74c3b8ab_launch = {256, 1, shared_bytes<contract_add_mul_tanh_74c3b8ab_shared, contract_add_mul_tanh_74c3b8ab_sums>, {}};

extern "C" __global__ void __launch_bounds__(256, 1)
contract_add_mul_tanh_74c3b8ab(const float* __restrict__ x, const float* __restrict__ weight, const float* __restrict__ bias,
    float* __restrict__ mul_value) {
  auto& shared = shared_memory<contract_add_mul_tanh_74c3b8ab_shared>();
  auto& sums = shared_memory<contract_add_mul_tanh_74c3b8ab_sums>();  // where the operands were
  const Place tile = Raster{32, 24, 8}.at(static_cast<int>(blockIdx.x));
  const int m_first = tile.row * 128, n_first = tile.column * 128;
  const int k_first = 0, k_end = 768;
  const auto a_row = [](int m) { return m * 768; };
  const auto a_column = [](int k) { return k; };
  const Stager<Panel<float, 128, 16, Lie::along_k>, 4, 256, float, int> a(x, m_first, 4096, a_row);
  const auto b_row = [](int n) { return n * 768; };
  const auto b_column = [](int k) { return k; };
  const Stager<Panel<float, 128, 16, Lie::along_k>, 4, 256, float, int> b(weight, n_first, 3072, b_row);
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
    const Vector<float, 4> bias_at = load<4>(bias + n);
    Vector<float, 4> mul_value_at;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float add_1 = sum[i] + bias_at[i];  // programs.cpp:35
      const float mul_1 = 0.5f * add_1;
      const float mul_2 = add_1 * add_1;
      const float mul_3 = mul_2 * add_1;
      const float mul_4 = 0.044715f * mul_3;
      const float add_2 = add_1 + mul_4;
      const float mul_5 = 0.7978846f * add_2;
      const float sigmoid_1 = sigmoid(2.f * mul_5);
      const float add_3 = 2.f * sigmoid_1;
      const float mul_6 = mul_1 * add_3;
      mul_value_at[i] = mul_6;
    }
    store(mul_value + m * 3072 + n, mul_value_at);
  }
}

}  // namespace tessera
