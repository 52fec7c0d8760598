// kernel cast_mul_reduce_sub_etc
//
//   reads      stream 16384x4096xf32, scale 16384x1xf32, dy 16384x4096xbf16, weight 4096xbf16, x 16384x4096xf32, mean 16384x1xf32
//   writes     add_value 16384x4096xf32, cast_value 16384x4096xbf16, reduce_value 4096xf32, reduce_value 4096xf32
//   moves      1073.9 MB, 1409.3 MFLOP
//   schedule   256 threads a row of 4096, 4 at once, 4 times; 264 groups walk 63 rows each; 264 blocks
//   from       programs.cpp:147  cast
//              programs.cpp:148  cast mul sub mul
//              programs.cpp:149  reduce mul mul reduce mul
//              programs.cpp:150  sub mul sub mul add
//              programs.cpp:151  cast mul reduce reduce
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch cast_mul_reduce_sub_etc_258b60b8_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
cast_mul_reduce_sub_etc_258b60b8(const float* __restrict__ stream, const float* __restrict__ scale, const bf16* __restrict__ dy,
    const bf16* __restrict__ weight, const float* __restrict__ x, const float* __restrict__ mean,
    float* __restrict__ add_value, bf16* __restrict__ cast_value, float* __restrict__ reduce_value,
    float* __restrict__ reduce_value_2, float* __restrict__ sum_of_rows_1_part,
    float* __restrict__ sum_of_rows_2_part) {
  __shared__ float sum_part_1_slots[8];
  __shared__ float sum_part_2_slots[8];
  const int t = static_cast<int>(threadIdx.x);
  const int group = static_cast<int>(blockIdx.x);
  Vector<float, 4> sum_of_rows_1[4];
#pragma unroll
  for (int i = 0; i < 16; ++i) sum_of_rows_1[i / 4][i % 4] = 0.f;
  Vector<float, 4> sum_of_rows_2[4];
#pragma unroll
  for (int i = 0; i < 16; ++i) sum_of_rows_2[i / 4][i % 4] = 0.f;
  for (int row = group; row < 16384; row += 264) {
    Vector<bf16, 4> dy_row[4];
    Vector<bf16, 4> weight_row[4];
    Vector<float, 4> x_row[4];
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      const int column = (c * 256 + t) * 4;
      dy_row[c] = load<4>(dy + row * 4096 + column);
      weight_row[c] = load<4>(weight + column);
      x_row[c] = load<4>(x + row * 4096 + column);
    }
    float sum_part_1 = 0.f;
    const float mean_at = mean[row];
    const float scale_at = scale[row];
    float sum_part_2 = 0.f;
#pragma unroll
    for (int c = 0; c < 4; ++c) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float wide_1 = widen(dy_row[c][i]);
        const float wide_2 = widen(weight_row[c][i]);
        const float mul_1 = wide_1 * wide_2;  // programs.cpp:148
        sum_part_1 = sum_part_1 + mul_1;
        const float sub_1 = x_row[c][i] - mean_at;
        const float mul_2 = sub_1 * scale_at;
        sum_part_2 = ::fmaf(mul_1, mul_2, sum_part_2);
      }
    }
    leave<Sum>(sum_part_1, sum_part_1_slots);
    leave<Sum>(sum_part_2, sum_part_2_slots);
    __syncthreads();
    const float sum_1 = taken<Sum>(sum_part_1_slots);  // programs.cpp:149
    const float sum_2 = taken<Sum>(sum_part_2_slots);
    const float mul_5 = sum_1 * 0.00024414062f;  // programs.cpp:149
    const float mul_6 = sum_2 * 0.00024414062f;  // programs.cpp:149
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      const int column = (c * 256 + t) * 4;
      const Vector<float, 4> stream_at = load<4>(stream + row * 4096 + column);
      Vector<float, 4> add_value_at;
      Vector<bf16, 4> cast_value_at;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float wide_3 = widen(dy_row[c][i]);
        const float sub_2 = x_row[c][i] - mean_at;  // programs.cpp:148
        const float mul_3 = sub_2 * scale_at;
        sum_of_rows_1[c][i] = ::fmaf(wide_3, mul_3, sum_of_rows_1[c][i]);  // programs.cpp:151
        sum_of_rows_2[c][i] = sum_of_rows_2[c][i] + wide_3;
        const float wide_4 = widen(weight_row[c][i]);
        const float mul_4 = wide_3 * wide_4;  // programs.cpp:148
        const float sub_3 = mul_4 - mul_5;  // programs.cpp:150
        const float mul_7 = mul_3 * mul_6;  // programs.cpp:150
        const float sub_4 = sub_3 - mul_7;
        const float mul_8 = scale_at * sub_4;
        const float add_1 = stream_at[i] + mul_8;
        add_value_at[i] = add_1;
        const bf16 rounded_1 = narrow<bf16>(add_1);  // programs.cpp:151
        cast_value_at[i] = rounded_1;
      }
      store(add_value + row * 4096 + column, add_value_at);
      store(cast_value + row * 4096 + column, cast_value_at);
    }
    __syncthreads();
  }
#pragma unroll
  for (int c = 0; c < 4; ++c) {
    const int column = (c * 256 + t) * 4;
    store(sum_of_rows_1_part + static_cast<i64>(group) * 4096 + column, sum_of_rows_1[c]);
    store(sum_of_rows_2_part + static_cast<i64>(group) * 4096 + column, sum_of_rows_2[c]);
  }
}

}  // namespace tessera

// kernel cast_mul_reduce_sub_etc_parts
//
//   reads      part 1081344xf32, part 1081344xf32
//   writes     reduce_value 4096xf32, reduce_value 4096xf32
//   moves      8.7 MB, 2.2 MFLOP
//   schedule   a row in each lane, 32 warps share its 264 elements, 9 times; 128 blocks
//   from       programs.cpp:151  reduce
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch cast_mul_reduce_sub_etc_parts_44a0d53f_launch = {1024, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(1024)
cast_mul_reduce_sub_etc_parts_44a0d53f(const float* __restrict__ part, const float* __restrict__ part_2, float* __restrict__ reduce_value,
    float* __restrict__ reduce_value_2) {
  __shared__ float sum_part_1_slots[32][32];
  __shared__ float sum_part_2_slots[32][32];
  const int t = static_cast<int>(threadIdx.x) / 32;
  const int row = static_cast<int>(blockIdx.x) * 32 + static_cast<int>(threadIdx.x) % 32;
  float sum_part_1 = 0.f;
  float sum_part_2 = 0.f;
#pragma unroll
  for (int c = 0; c < 9; ++c) {
    const int column = c * 32 + t;
    if (column < 264) {
      const float part_at = part[row + column * 4096];
      sum_part_1 = sum_part_1 + part_at;
      const float part_2_at = part_2[row + column * 4096];
      sum_part_2 = sum_part_2 + part_2_at;
    }
  }
  const float sum_1 = across_warps<Sum, 32>(sum_part_1, sum_part_1_slots);  // programs.cpp:151
  const float sum_2 = across_warps<Sum, 32>(sum_part_2, sum_part_2_slots);
  if (t == 0) reduce_value[row] = sum_1;
  if (t == 0) reduce_value_2[row] = sum_2;
}

}  // namespace tessera
