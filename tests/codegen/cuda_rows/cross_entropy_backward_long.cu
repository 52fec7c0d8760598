// kernel iota
//
//   writes     iota_value 50304xi64
//   moves      402.4 kB, 0.0 MFLOP
//   schedule   2 elements a thread, 256 threads a block, 99 blocks
//   from       programs.cpp:93  iota
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch iota_fdff6846_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
iota_fdff6846(i64* __restrict__ iota_value) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  if (t >= 25152) return;
  const int first = t * 2;
  Vector<i64, 2> iota_value_at;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const i64 index_1 = first + i;  // programs.cpp:93
    const i64 index_cast_1 = static_cast<i64>(index_1);
    iota_value_at[i] = index_cast_1;
  }
  store(iota_value + first, iota_value_at);
}

}  // namespace tessera

// kernel gather_eq_select_cast_etc
//
//   reads      targets 8192xi64, iota_value 50304xi64, logits 8192x50304xbf16
//   writes     cast_value 8192x50304xbf16
//   moves      1648.8 MB, 6593.4 MFLOP
//   schedule   512 threads a row of 50304, 8 at once, in a loop, from shared memory; 8192 blocks
//   from       programs.cpp:93  iota gather eq broadcast neg select broadcast cast softmax mul add cast
#include "async.cuh"
#include "rows.cuh"
#include "shared_memory.cuh"

namespace tessera {

struct gather_eq_select_cast_etc_6c8d1a01_rows {
  alignas(16) bf16 logits_row[50304];
};

extern "C" __constant__ Launch gather_eq_select_cast_etc_6c8d1a01_launch = {512, 1, sizeof(gather_eq_select_cast_etc_6c8d1a01_rows), {}};

extern "C" __global__ void __launch_bounds__(512, 2)
gather_eq_select_cast_etc_6c8d1a01(const i64* __restrict__ targets, const i64* __restrict__ iota_value, const bf16* __restrict__ logits,
    bf16* __restrict__ cast_value, i64* errors) {
  auto& held = shared_memory<gather_eq_select_cast_etc_6c8d1a01_rows>();
  __shared__ float highest_part_1_slots[16];
  __shared__ float sum_part_1_slots[16];
  const int t = static_cast<int>(threadIdx.x);
  const int row = static_cast<int>(blockIdx.x);
#pragma unroll 4
  for (int column = t * 8; column < 50304; column += 4096) {
    copy_async<16>(held.logits_row + column, logits + row * 50304 + column, true);
  }
  end_group();
  const i64 targets_at = targets[row];
  const i64 index_cast_1 = static_cast<i64>(targets_at);  // programs.cpp:93
  const i64 picked_1 = iota_value[checked(index_cast_1, 50304, errors + 0)];
  float highest_part_1 = -infinity;
  wait_for_groups<0>();
#pragma unroll 4
  for (int column = t * 8; column < 50304; column += 4096) {
    const Vector<bf16, 8> logits_row_at = load<8>(held.logits_row + column);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const float wide_1 = widen(logits_row_at[i]);
      highest_part_1 = Max::of(highest_part_1, wide_1);
    }
  }
  const float highest_1 = across_block<Max, 16>(highest_part_1, highest_part_1_slots);
  const bool is_1 = highest_1 == -infinity;
  const float choice_1 = is_1 ? 0.f : highest_1;
  float sum_part_1 = 0.f;
#pragma unroll 4
  for (int column = t * 8; column < 50304; column += 4096) {
    const Vector<bf16, 8> logits_row_at_2 = load<8>(held.logits_row + column);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const float wide_2 = widen(logits_row_at_2[i]);
      const float sub_1 = wide_2 - choice_1;
      const float exp_1 = exp2(log2_e * sub_1);
      sum_part_1 = sum_part_1 + exp_1;
    }
  }
  const float sum_1 = across_block<Sum, 16>(sum_part_1, sum_part_1_slots);
  const int place_1 = as_place(picked_1);
  const float neg_1 = -0.00012207031f;
  const float choice_3 = is_1 ? 1.f : sum_1;
  const float div_1 = 1.f / choice_3;
#pragma unroll 4
  for (int column = t * 8; column < 50304; column += 4096) {
    const Vector<bf16, 8> logits_row_at_3 = load<8>(held.logits_row + column);
    Vector<bf16, 8> cast_value_at;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const bool is_2 = column + i == place_1;
      const float choice_2 = is_2 ? neg_1 : 0.f;
      const float wide_3 = widen(logits_row_at_3[i]);
      const float sub_2 = wide_3 - choice_1;
      const float exp_2 = exp2(log2_e * sub_2);
      const float mul_1 = exp_2 * div_1;
      const float mul_2 = 0.00012207031f * mul_1;
      const float add_1 = choice_2 + mul_2;
      const bf16 rounded_1 = narrow<bf16>(add_1);
      cast_value_at[i] = rounded_1;
    }
    store(cast_value + row * 50304 + column, cast_value_at);
  }
}

}  // namespace tessera
