// kernel cast_reduce_mul_sub_etc
//
//   reads      x 16384x4096xbf16, weight 4096xbf16, bias 4096xbf16
//   writes     cast_value 16384x4096xbf16
//   moves      268.5 MB, 1275.1 MFLOP
//   schedule   256 threads a row of 4096, 8 at once, 2 times; 16384 blocks
//   from       programs.cpp:31  cast
//              programs.cpp:32  reduce mul sub variance add rsqrt mul
//              programs.cpp:33  mul add cast
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch cast_reduce_mul_sub_etc_9d7c6acf_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
cast_reduce_mul_sub_etc_9d7c6acf(const bf16* __restrict__ x, const bf16* __restrict__ weight, const bf16* __restrict__ bias,
    bf16* __restrict__ cast_value) {
  __shared__ float sum_part_1_slots[8];
  __shared__ float sum_part_2_slots[8];
  const int t = static_cast<int>(threadIdx.x);
  const int row = static_cast<int>(blockIdx.x);
  Vector<bf16, 8> x_row[2];
#pragma unroll
  for (int c = 0; c < 2; ++c) {
    const int column = (c * 256 + t) * 8;
    x_row[c] = load<8>(x + row * 4096 + column);
  }
  float sum_part_1 = 0.f;
#pragma unroll
  for (int c = 0; c < 2; ++c) {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const float wide_1 = widen(x_row[c][i]);
      sum_part_1 = sum_part_1 + wide_1;
    }
  }
  const float sum_1 = across_block<Sum, 8>(sum_part_1, sum_part_1_slots);  // programs.cpp:32
  const float mul_1 = sum_1 * 0.00024414062f;
  float sum_part_2 = 0.f;
#pragma unroll
  for (int c = 0; c < 2; ++c) {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const float wide_2 = widen(x_row[c][i]);
      const float sub_1 = wide_2 - mul_1;
      sum_part_2 = ::fmaf(sub_1, sub_1, sum_part_2);
    }
  }
  const float sum_2 = across_block<Sum, 8>(sum_part_2, sum_part_2_slots);
  const float mul_2 = sum_1 * 0.00024414062f;
  const float mul_3 = sum_2 * 0.00024414062f;
  const float add_1 = mul_3 + 1e-05f;
  const float rsqrt_1 = ::rsqrtf(add_1);
#pragma unroll
  for (int c = 0; c < 2; ++c) {
    const int column = (c * 256 + t) * 8;
    const Vector<bf16, 8> weight_at = load<8>(weight + column);
    const Vector<bf16, 8> bias_at = load<8>(bias + column);
    Vector<bf16, 8> cast_value_at;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const float wide_3 = widen(x_row[c][i]);
      const float sub_2 = wide_3 - mul_2;
      const float mul_4 = sub_2 * rsqrt_1;
      const float wide_4 = widen(weight_at[i]);
      const float mul_5 = mul_4 * wide_4;  // programs.cpp:33
      const float wide_5 = widen(bias_at[i]);
      const float add_2 = mul_5 + wide_5;
      const bf16 rounded_1 = narrow<bf16>(add_2);
      cast_value_at[i] = rounded_1;
    }
    store(cast_value + row * 4096 + column, cast_value_at);
  }
}

}  // namespace tessera
