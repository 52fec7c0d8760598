// kernel cast_mul_neg_reduce_etc
//
//   reads      dy 16384x4096xbf16, weight 4096xf32, scale 4096xf32, x 16384x4096xbf16, mean 4096xf32
//   writes     reduce_value 4096xf32, reduce_value 4096xf32, reduce_value 4096xf32, reduce_value 4096xf32
//   moves      268.6 MB, 738.2 MFLOP
//   schedule   32 threads a row of 4096, 8 at once, 1 times; 192 groups walk 86 rows each; 384 blocks
//   from       programs.cpp:43  cast
//              programs.cpp:132  mul mul neg reduce cast sub mul reduce reduce
#include "last_block.cuh"
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch cast_mul_neg_reduce_etc_5d80a0c5_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256, 3)
cast_mul_neg_reduce_etc_5d80a0c5(const bf16* __restrict__ dy, const float* __restrict__ weight, const float* __restrict__ scale,
    const bf16* __restrict__ x, const float* __restrict__ mean, float* __restrict__ reduce_value,
    float* __restrict__ reduce_value_2, float* __restrict__ reduce_value_3, float* __restrict__ reduce_value_4,
    float* __restrict__ sum_of_rows_1_part, float* __restrict__ sum_of_rows_2_part, u32* __restrict__ arrived) {
  __shared__ Vector<float, 8> sum_of_rows_1_slots[8][32];
  __shared__ Vector<float, 8> sum_of_rows_2_slots[8][32];
  const int split = static_cast<int>(blockIdx.x) % 16;
  const int t = static_cast<int>(threadIdx.x) % 32;
  const int group = static_cast<int>(blockIdx.x) / 16 * 8 + static_cast<int>(threadIdx.x) / 32;
  Vector<float, 8> sum_of_rows_1[1];
#pragma unroll
  for (int i = 0; i < 8; ++i) sum_of_rows_1[i / 8][i % 8] = 0.f;
  Vector<float, 8> sum_of_rows_2[1];
#pragma unroll
  for (int i = 0; i < 8; ++i) sum_of_rows_2[i / 8][i % 8] = 0.f;
  Vector<float, 8> mean_columns[1];
  {
    const int column = (split * 32 + t) * 8;
    const Vector<float, 8> mean_at = load<8>(mean + column);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      mean_columns[0][i] = mean_at[i];
    }
  }
#pragma unroll 4
  for (int row = group; row < 16384; row += 192) {
    {
      const int column = (split * 32 + t) * 8;
      const Vector<bf16, 8> dy_at = load_once<8>(dy + row * 4096 + column);
      const Vector<bf16, 8> x_at = load_once<8>(x + row * 4096 + column);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float wide_1 = widen(dy_at[i]);
        sum_of_rows_1[0][i] = sum_of_rows_1[0][i] + wide_1;  // programs.cpp:132
        const float wide_2 = widen(x_at[i]);
        const float sub_1 = wide_2 - mean_columns[0][i];
        sum_of_rows_2[0][i] = ::fmaf(wide_1, sub_1, sum_of_rows_2[0][i]);
      }
    }
  }
  sum_of_rows_1[0] = across_rows<Sum>(sum_of_rows_1[0], sum_of_rows_1_slots);
  sum_of_rows_2[0] = across_rows<Sum>(sum_of_rows_2[0], sum_of_rows_2_slots);
  {
    const int column = (split * 32 + t) * 8;
    if (threadIdx.x < 32) store(sum_of_rows_1_part + static_cast<i64>(group / 8) * 4096 + column, sum_of_rows_1[0]);
    if (threadIdx.x < 32) store(sum_of_rows_2_part + static_cast<i64>(group / 8) * 4096 + column, sum_of_rows_2[0]);
  }
  if (!is_last_block<24>(arrived + split)) return;
  {
    const int column = (split * 32 + t) * 8;
    sum_of_rows_1[0] = every_part<Sum, 8, 24, 8, 4096>(sum_of_rows_1_part + column, static_cast<int>(threadIdx.x) / 32, 0.f);
  }
  sum_of_rows_1[0] = across_rows<Sum>(sum_of_rows_1[0], sum_of_rows_1_slots);
  if (threadIdx.x < 32) {
    {
      const int column = (split * 32 + t) * 8;
      const Vector<float, 8> weight_at = load<8>(weight + column);
      const Vector<float, 8> scale_at = load<8>(scale + column);
      Vector<float, 8> reduce_value_at;
      Vector<float, 8> reduce_value_4_at;
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float mul_1 = sum_of_rows_1[0][i] * weight_at[i];
        const float mul_2 = mul_1 * scale_at[i];
        const float neg_1 = -mul_2;
        reduce_value_at[i] = neg_1;
        reduce_value_4_at[i] = sum_of_rows_1[0][i];
      }
      store(reduce_value + column, reduce_value_at);
      store(reduce_value_4 + column, reduce_value_4_at);
    }
  }
  {
    const int column = (split * 32 + t) * 8;
    sum_of_rows_2[0] = every_part<Sum, 8, 24, 8, 4096>(sum_of_rows_2_part + column, static_cast<int>(threadIdx.x) / 32, 0.f);
  }
  sum_of_rows_2[0] = across_rows<Sum>(sum_of_rows_2[0], sum_of_rows_2_slots);
  if (threadIdx.x < 32) {
    {
      const int column = (split * 32 + t) * 8;
      const Vector<float, 8> weight_at_2 = load<8>(weight + column);
      Vector<float, 8> reduce_value_2_at;
      const Vector<float, 8> scale_at_2 = load<8>(scale + column);
      Vector<float, 8> reduce_value_3_at;
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float mul_3 = sum_of_rows_2[0][i] * weight_at_2[i];
        reduce_value_2_at[i] = mul_3;
        const float mul_4 = sum_of_rows_2[0][i] * scale_at_2[i];
        reduce_value_3_at[i] = mul_4;
      }
      store(reduce_value_2 + column, reduce_value_2_at);
      store(reduce_value_3 + column, reduce_value_3_at);
    }
  }
}

}  // namespace tessera
