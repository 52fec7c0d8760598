// kernel mul_add_tanh_sub
//
//   reads      dy 16384x4096xbf16, x 16384x4096xbf16
//   writes     add_value 16384x4096xbf16
//   moves      402.7 MB, 1744.8 MFLOP
//   schedule   8 elements a thread, 256 threads a block, 32768 blocks
//   from       programs.cpp:77  mul mul mul mul mul add mul tanh mul sub mul mul mul mul add mul mul add add add mul mul add
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch mul_add_tanh_sub_67787244_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
mul_add_tanh_sub_67787244(const bf16* __restrict__ dy, const bf16* __restrict__ x, bf16* __restrict__ add_value, const i64 vectors) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  if (t >= vectors) return;
  const int first = t * 8;
  const Vector<bf16, 8> dy_at = load<8>(dy + first);
  const Vector<bf16, 8> x_at = load<8>(x + first);
  Vector<bf16, 8> add_value_at;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const float wide_1 = widen(dy_at[i]);
    const float wide_2 = widen(x_at[i]);
    const float mul_1 = 0.5f * wide_2;  // programs.cpp:77
    const float mul_2 = wide_1 * mul_1;
    const float mul_3 = wide_2 * wide_2;
    const float mul_4 = mul_3 * wide_2;
    const float mul_5 = 0.044715f * mul_4;
    const float add_1 = wide_2 + mul_5;
    const float mul_6 = 0.7978846f * add_1;
    const float sigmoid_1 = sigmoid(2.f * mul_6);
    const float sub_1 = 4.f * sigmoid_1 * rest_of_sigmoid(2.f * mul_6, sigmoid_1);
    const float mul_7 = mul_2 * sub_1;
    const float mul_8 = mul_7 * 0.7978846f;
    const float mul_9 = mul_8 * 0.044715f;
    const float mul_10 = mul_9 * mul_3;
    const float add_2 = mul_8 + mul_10;
    const float mul_11 = mul_9 * wide_2;
    const float mul_12 = mul_11 * wide_2;
    const float add_3 = add_2 + mul_12;
    const float add_4 = add_3 + mul_12;
    const float add_5 = 2.f * sigmoid_1;
    const float mul_13 = wide_1 * add_5;
    const float mul_14 = mul_13 * 0.5f;
    const float add_6 = add_4 + mul_14;
    const bf16 rounded_1 = narrow<bf16>(add_6);
    add_value_at[i] = rounded_1;
  }
  store(add_value + first, add_value_at);
}

}  // namespace tessera
