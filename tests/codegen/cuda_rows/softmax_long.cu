// kernel cast_reduce_eq_select_etc
//
//   reads      x 8192x50304xbf16
//   writes     softmax_value 8192x50304xbf16
//   moves      1648.4 MB, 4945.1 MFLOP
//   schedule   512 threads a row of 50304, 8 at once, in a loop, from shared memory; 8192 blocks
//   from       programs.cpp:66  softmax
#include "async.cuh"
#include "rows.cuh"
#include "shared_memory.cuh"

namespace tessera {

struct cast_reduce_eq_select_etc_0985abc6_rows {
  alignas(16) bf16 x_row[50304];
};

extern "C" __constant__ Launch cast_reduce_eq_select_etc_0985abc6_launch = {512, 1, sizeof(cast_reduce_eq_select_etc_0985abc6_rows), {}};

extern "C" __global__ void __launch_bounds__(512, 2)
cast_reduce_eq_select_etc_0985abc6(const bf16* __restrict__ x, bf16* __restrict__ softmax_value) {
  auto& held = shared_memory<cast_reduce_eq_select_etc_0985abc6_rows>();
  __shared__ float highest_part_1_slots[16];
  __shared__ float sum_part_1_slots[16];
  const int t = static_cast<int>(threadIdx.x);
  const int row = static_cast<int>(blockIdx.x);
#pragma unroll 4
  for (int column = t * 8; column < 50304; column += 4096) {
    copy_async<16>(held.x_row + column, x + row * 50304 + column, true);
  }
  end_group();
  float highest_part_1 = -infinity;
  wait_for_groups<0>();
#pragma unroll 4
  for (int column = t * 8; column < 50304; column += 4096) {
    const Vector<bf16, 8> x_row_at = load<8>(held.x_row + column);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const float wide_1 = widen(x_row_at[i]);
      highest_part_1 = Max::of(highest_part_1, wide_1);
    }
  }
  const float highest_1 = across_block<Max, 16>(highest_part_1, highest_part_1_slots);  // programs.cpp:66
  const bool is_1 = highest_1 == -infinity;
  const float choice_1 = is_1 ? 0.f : highest_1;
  float sum_part_1 = 0.f;
#pragma unroll 4
  for (int column = t * 8; column < 50304; column += 4096) {
    const Vector<bf16, 8> x_row_at_2 = load<8>(held.x_row + column);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const float wide_2 = widen(x_row_at_2[i]);
      const float sub_1 = wide_2 - choice_1;
      const float exp_1 = exp2(log2_e * sub_1);
      sum_part_1 = sum_part_1 + exp_1;
    }
  }
  const float sum_1 = across_block<Sum, 16>(sum_part_1, sum_part_1_slots);
  const float choice_2 = is_1 ? 1.f : sum_1;
  const float div_1 = 1.f / choice_2;
#pragma unroll 4
  for (int column = t * 8; column < 50304; column += 4096) {
    const Vector<bf16, 8> x_row_at_3 = load<8>(held.x_row + column);
    Vector<bf16, 8> softmax_value_at;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const float wide_3 = widen(x_row_at_3[i]);
      const float sub_2 = wide_3 - choice_1;
      const float exp_2 = exp2(log2_e * sub_2);
      const float mul_1 = exp_2 * div_1;
      const bf16 rounded_1 = narrow<bf16>(mul_1);
      softmax_value_at[i] = rounded_1;
    }
    store(softmax_value + row * 50304 + column, softmax_value_at);
  }
}

}  // namespace tessera
