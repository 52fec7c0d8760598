// kernel cast_mul_reduce_add_etc
//
//   reads      dy 16384x4096xbf16, weight 4096xbf16, x 16384x4096xbf16
//   writes     cast_value 16384x4096xbf16, cast_value 4096xbf16
//   moves      402.7 MB, 1946.2 MFLOP
//   schedule   256 threads a row of 4096, 8 at once, 2 times; 264 groups walk 63 rows each; 264 blocks
//   from       programs.cpp:38  cast cast mul mul reduce mul add rsqrt mul mul reduce mul mul mul mul mul mul add add mul mul reduce cast
//              programs.cpp:37  cast cast
#include "async.cuh"
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch cast_mul_reduce_add_etc_b25f74e7_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
cast_mul_reduce_add_etc_b25f74e7(const bf16* __restrict__ dy, const bf16* __restrict__ weight, const bf16* __restrict__ x,
    bf16* __restrict__ cast_value, bf16* __restrict__ cast_value_2, float* __restrict__ sum_of_rows_1_part) {
  alignas(16) __shared__ Vector<bf16, 8> dy_ahead[2][2][256];
  alignas(16) __shared__ Vector<bf16, 8> x_ahead[2][2][256];
  __shared__ float sum_part_1_slots[8];
  __shared__ float sum_part_2_slots[8];
  const int t = static_cast<int>(threadIdx.x);
  const int group = static_cast<int>(blockIdx.x);
  Vector<float, 8> sum_of_rows_1[2];
#pragma unroll
  for (int i = 0; i < 16; ++i) sum_of_rows_1[i / 8][i % 8] = 0.f;
  Vector<bf16, 8> weight_row[2];
#pragma unroll
  for (int c = 0; c < 2; ++c) {
    const int column = (c * 256 + t) * 8;
    weight_row[c] = load<8>(weight + column);
  }
  const auto bring = [&](int row, int slot) {
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      const int column = (c * 256 + t) * 8;
      copy_async<16>(&dy_ahead[slot][c][t], dy + row * 4096 + column, true);
      copy_async<16>(&x_ahead[slot][c][t], x + row * 4096 + column, true);
    }
    end_group();
  };
  bring(group, 0);
  int slot = 0;
  for (int row = group; row < 16384; row += 264, slot ^= 1) {
    if (row + 264 < 16384) bring(row + 264, slot ^ 1);  // while this one is computed
    else end_group();
    wait_for_groups<1>();
    Vector<bf16, 8> dy_row[2];
    Vector<bf16, 8> x_row[2];
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      dy_row[c] = load<8>(dy_ahead[slot][c][t].values);
      x_row[c] = load<8>(x_ahead[slot][c][t].values);
    }
    float sum_part_1 = 0.f;
    float sum_part_2 = 0.f;
#pragma unroll
    for (int c = 0; c < 2; ++c) {
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float wide_1 = widen(x_row[c][i]);
        sum_part_1 = ::fmaf(wide_1, wide_1, sum_part_1);
        const float wide_2 = widen(dy_row[c][i]);
        const float wide_3 = widen(weight_row[c][i]);
        const float mul_1 = wide_2 * wide_3;  // programs.cpp:38
        sum_part_2 = ::fmaf(mul_1, wide_1, sum_part_2);
      }
    }
    leave<Sum>(sum_part_1, sum_part_1_slots);
    leave<Sum>(sum_part_2, sum_part_2_slots);
    __syncthreads();
    const float sum_1 = taken<Sum>(sum_part_1_slots);
    const float sum_2 = taken<Sum>(sum_part_2_slots);
    const float mul_2 = sum_1 * 0.00024414062f;
    const float add_1 = mul_2 + 1e-05f;
    const float rsqrt_1 = ::rsqrtf(add_1);
    const float mul_6 = rsqrt_1 * rsqrt_1;
    const float mul_7 = mul_6 * rsqrt_1;
    const float mul_8 = -0.5f * mul_7;
    const float mul_9 = sum_2 * mul_8;
    const float mul_10 = mul_9 * 0.00024414062f;
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      const int column = (c * 256 + t) * 8;
      Vector<bf16, 8> cast_value_at;
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float wide_4 = widen(dy_row[c][i]);
        const float wide_5 = widen(x_row[c][i]);
        const float mul_3 = wide_5 * rsqrt_1;
        sum_of_rows_1[c][i] = ::fmaf(wide_4, mul_3, sum_of_rows_1[c][i]);
        const float wide_6 = widen(weight_row[c][i]);
        const float mul_4 = wide_4 * wide_6;
        const float mul_5 = mul_4 * rsqrt_1;
        const float mul_11 = mul_10 * wide_5;
        const float add_2 = mul_5 + mul_11;
        const float add_3 = add_2 + mul_11;
        const bf16 rounded_1 = narrow<bf16>(add_3);  // programs.cpp:37
        cast_value_at[i] = rounded_1;
      }
      store(cast_value + row * 4096 + column, cast_value_at);
    }
    __syncthreads();
  }
#pragma unroll
  for (int c = 0; c < 2; ++c) {
    const int column = (c * 256 + t) * 8;
    store(sum_of_rows_1_part + static_cast<i64>(group) * 4096 + column, sum_of_rows_1[c]);
  }
}

}  // namespace tessera

// kernel cast_mul_reduce_add_etc_parts
//
//   reads      part 1081344xf32
//   writes     cast_value 4096xbf16
//   moves      4.3 MB, 4.3 MFLOP
//   schedule   a row in each lane, 32 warps share its 264 elements, 9 times; 128 blocks
//   from       programs.cpp:38  reduce cast
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch cast_mul_reduce_add_etc_parts_a0a69bf4_launch = {1024, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(1024)
cast_mul_reduce_add_etc_parts_a0a69bf4(const float* __restrict__ part, bf16* __restrict__ cast_value) {
  __shared__ float sum_part_1_slots[32][32];
  const int t = static_cast<int>(threadIdx.x) / 32;
  const int row = static_cast<int>(blockIdx.x) * 32 + static_cast<int>(threadIdx.x) % 32;
  float sum_part_1 = 0.f;
#pragma unroll
  for (int c = 0; c < 9; ++c) {
    const int column = c * 32 + t;
    if (column < 264) {
      const float part_at = part[row + column * 4096];
      sum_part_1 = sum_part_1 + part_at;
    }
  }
  const float sum_1 = across_warps<Sum, 32>(sum_part_1, sum_part_1_slots);  // programs.cpp:38
  const bf16 rounded_1 = narrow<bf16>(sum_1);
  if (t == 0) cast_value[row] = rounded_1;
}

}  // namespace tessera
