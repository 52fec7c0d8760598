// kernel mul_sub_expm1_neg_etc
//
//   reads      m 67108864xf32, g 67108864xf32, v 67108864xf32, p 67108864xf32, lr f32, t f32
//   writes     add_value 67108864xf32, add_value 67108864xf32, sub_value 67108864xf32
//   moves      1879.0 MB, 1610.6 MFLOP
//   schedule   4 elements a thread, 256 threads a block, 65536 blocks
//   from       programs.cpp:124  mul mul sub
//              programs.cpp:123  mul expm1 neg mul expm1 neg
//              programs.cpp:125  div mul sqrt rsqrt mul add div sub
//              programs.cpp:122  mul mul add mul mul mul add
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch mul_sub_expm1_neg_etc_87ed52d4_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
mul_sub_expm1_neg_etc_87ed52d4(const float* __restrict__ m, const float* __restrict__ g, const float* __restrict__ v,
    const float* __restrict__ p, const float* __restrict__ lr, const float* __restrict__ t_2,
    float* __restrict__ add_value, float* __restrict__ add_value_2, float* __restrict__ sub_value,
    const i64 vectors) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  if (t >= vectors) return;
  const int first = t * 4;
  const float lr_at = lr[0];
  const float mul_6 = lr_at * 0.1f;  // programs.cpp:124
  const float t_2_at = t_2[0];
  const float mul_8 = t_2_at * -0.105360515f;  // programs.cpp:123
  const float expm1_1 = ::expm1f(mul_8);
  const float neg_1 = -expm1_1;
  const float div_1 = lr_at / neg_1;  // programs.cpp:125
  const float mul_10 = t_2_at * -0.0010005003f;  // programs.cpp:123
  const float expm1_2 = ::expm1f(mul_10);
  const float neg_2 = -expm1_2;
  const float rsqrt_1 = ::rsqrtf(neg_2);  // programs.cpp:125
  const Vector<float, 4> m_at = load<4>(m + first);
  const Vector<float, 4> g_at = load<4>(g + first);
  Vector<float, 4> add_value_at;
  const Vector<float, 4> v_at = load<4>(v + first);
  Vector<float, 4> add_value_2_at;
  const Vector<float, 4> p_at = load<4>(p + first);
  Vector<float, 4> sub_value_at;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float mul_1 = 0.9f * m_at[i];  // programs.cpp:122
    const float mul_2 = 0.1f * g_at[i];
    const float add_1 = mul_1 + mul_2;
    add_value_at[i] = add_1;
    const float mul_3 = 0.999f * v_at[i];
    const float mul_4 = g_at[i] * g_at[i];
    const float mul_5 = 0.001f * mul_4;
    const float add_2 = mul_3 + mul_5;
    add_value_2_at[i] = add_2;
    const float mul_7 = mul_6 * p_at[i];
    const float sub_1 = p_at[i] - mul_7;
    const float mul_9 = div_1 * add_1;
    const float sqrt_1 = ::sqrtf(add_2);
    const float mul_11 = sqrt_1 * rsqrt_1;
    const float add_3 = mul_11 + 1e-08f;
    const float div_2 = mul_9 / add_3;
    const float sub_2 = sub_1 - div_2;
    sub_value_at[i] = sub_2;
  }
  store(add_value + first, add_value_at);
  store(add_value_2 + first, add_value_2_at);
  store(sub_value + first, sub_value_at);
}

}  // namespace tessera
