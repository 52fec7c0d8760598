// kernel cast_reduce_eq_select_etc
//
//   reads      x 16384x4096xbf16
//   writes     softmax_value 16384x4096xbf16
//   moves      268.4 MB, 805.3 MFLOP
//   schedule   128 threads a row of 4096, 8 at once, 4 times; 16384 blocks
//   from       programs.cpp:66  softmax
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch cast_reduce_eq_select_etc_f23cefc4_launch = {128, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(128)
cast_reduce_eq_select_etc_f23cefc4(const bf16* __restrict__ x, bf16* __restrict__ softmax_value) {
  __shared__ float highest_part_1_slots[4];
  __shared__ float sum_part_1_slots[4];
  const int t = static_cast<int>(threadIdx.x);
  const int row = static_cast<int>(blockIdx.x);
  Vector<float, 8> exp_row[4];
  Vector<bf16, 8> x_row[4];
#pragma unroll
  for (int c = 0; c < 4; ++c) {
    const int column = (c * 128 + t) * 8;
    x_row[c] = load<8>(x + row * 4096 + column);
  }
  float highest_part_1 = -infinity;
#pragma unroll
  for (int c = 0; c < 4; ++c) {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const float wide_1 = widen(x_row[c][i]);
      highest_part_1 = Max::of(highest_part_1, wide_1);
    }
  }
  const float highest_1 = across_block<Max, 4>(highest_part_1, highest_part_1_slots);  // programs.cpp:66
  const bool is_1 = highest_1 == -infinity;
  const float choice_1 = is_1 ? 0.f : highest_1;
  float sum_part_1 = 0.f;
#pragma unroll
  for (int c = 0; c < 4; ++c) {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const float wide_2 = widen(x_row[c][i]);
      const float sub_1 = wide_2 - choice_1;
      const float exp_1 = exp2(log2_e * sub_1);
      sum_part_1 = sum_part_1 + exp_1;
      exp_row[c][i] = exp_1;
    }
  }
  const float sum_1 = across_block<Sum, 4>(sum_part_1, sum_part_1_slots);
  const float choice_2 = is_1 ? 1.f : sum_1;
  const float div_1 = 1.f / choice_2;
#pragma unroll
  for (int c = 0; c < 4; ++c) {
    const int column = (c * 128 + t) * 8;
    Vector<bf16, 8> softmax_value_at;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const float mul_1 = exp_row[c][i] * div_1;
      const bf16 rounded_1 = narrow<bf16>(mul_1);
      softmax_value_at[i] = rounded_1;
    }
    store(softmax_value + row * 4096 + column, softmax_value_at);
  }
}

}  // namespace tessera
