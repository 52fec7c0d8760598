// kernel mul_add_tanh
//
//   reads      x 16384x4096xbf16, residual 16384x4096xbf16
//   writes     add_value 16384x4096xbf16
//   moves      402.7 MB, 872.4 MFLOP
//   schedule   8 elements a thread, 256 threads a block, 32768 blocks
//   from       programs.cpp:73  mul mul mul mul add mul tanh add mul add
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch mul_add_tanh_fdb20585_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
mul_add_tanh_fdb20585(const bf16* __restrict__ x, const bf16* __restrict__ residual, bf16* __restrict__ add_value,
    const i64 vectors) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  if (t >= vectors) return;
  const int first = t * 8;
  const Vector<bf16, 8> x_at = load<8>(x + first);
  const Vector<bf16, 8> residual_at = load<8>(residual + first);
  Vector<bf16, 8> add_value_at;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const float wide_1 = widen(x_at[i]);
    const float mul_1 = 0.5f * wide_1;  // programs.cpp:73
    const float mul_2 = wide_1 * wide_1;
    const float mul_3 = mul_2 * wide_1;
    const float mul_4 = 0.044715f * mul_3;
    const float add_1 = wide_1 + mul_4;
    const float mul_5 = 0.7978846f * add_1;
    const float sigmoid_1 = sigmoid(2.f * mul_5);
    const float add_2 = 2.f * sigmoid_1;
    const float mul_6 = mul_1 * add_2;
    const float wide_2 = widen(residual_at[i]);
    const float add_3 = mul_6 + wide_2;
    const bf16 rounded_1 = narrow<bf16>(add_3);
    add_value_at[i] = rounded_1;
  }
  store(add_value + first, add_value_at);
}

}  // namespace tessera
