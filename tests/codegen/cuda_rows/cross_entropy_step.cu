// kernel iota
//
//   writes     iota_value 4096xi32
//   moves      16.4 kB, 0.0 MFLOP
//   schedule   4 elements a thread, 256 threads a block, 4 blocks
//   from       programs.cpp:156  iota
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch iota_7a29fee8_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
iota_7a29fee8(int* __restrict__ iota_value) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const int first = t * 4;
  Vector<int, 4> iota_value_at;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const i64 index_1 = first + i;  // programs.cpp:156
    const i64 index_cast_1 = static_cast<i64>(index_1);
    const int trunci_1 = static_cast<int>(index_cast_1);
    iota_value_at[i] = trunci_1;
  }
  store(iota_value + first, iota_value_at);
}

}  // namespace tessera

// kernel cast_reduce_eq_select_etc
//
//   reads      logits 16384x4096xbf16, targets 16384xi32, iota_value 4096xi32
//   writes     mul_value f32, cast_value 16384x4096xbf16
//   moves      268.5 MB, 1677.7 MFLOP
//   schedule   256 threads a row of 4096, 8 at once, 2 times; 528 groups walk 32 rows each; 528 blocks
//   from       programs.cpp:156  cast logsumexp iota gather eq select reduce sub reduce mul broadcast neg select broadcast softmax mul add cast
#include "last_block.cuh"
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch cast_reduce_eq_select_etc_90f9a41a_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
cast_reduce_eq_select_etc_90f9a41a(const bf16* __restrict__ logits, const int* __restrict__ targets, const int* __restrict__ iota_value,
    float* __restrict__ mul_value, bf16* __restrict__ cast_value, float* __restrict__ sum_of_rows_1_part,
    u32* __restrict__ arrived, i64* errors) {
  __shared__ float highest_part_1_slots[8];
  __shared__ float sum_part_1_slots[8];
  __shared__ float sum_3_slots[8];
  const int t = static_cast<int>(threadIdx.x);
  const int group = static_cast<int>(blockIdx.x);
  float sum_of_rows_1 = 0.f;
  for (int row = group; row < 16384; row += 528) {
    Vector<float, 8> exp_row[2];
    Vector<bf16, 8> logits_row[2];
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      const int column = (c * 256 + t) * 8;
      logits_row[c] = load<8>(logits + row * 4096 + column);
    }
    float highest_part_1 = -infinity;
    const int targets_at = targets[row];
    const i64 index_cast_1 = static_cast<i64>(targets_at);  // programs.cpp:156
    const int picked_1 = iota_value[checked(index_cast_1, 4096, errors + 0)];
    float sum_1 = 0.f;
    if (const int column = picked_1; column >= 0 && column < 4096)
      sum_1 = widen(logits[row * 4096 + column]);
#pragma unroll
    for (int c = 0; c < 2; ++c) {
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float wide_1 = widen(logits_row[c][i]);
        highest_part_1 = Max::of(highest_part_1, wide_1);
      }
    }
    const float highest_1 = across_block<Max, 8>(highest_part_1, highest_part_1_slots);
    const bool is_1 = highest_1 == -infinity;
    const float choice_1 = is_1 ? 0.f : highest_1;
    float sum_part_1 = 0.f;
#pragma unroll
    for (int c = 0; c < 2; ++c) {
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float wide_2 = widen(logits_row[c][i]);
        const float sub_1 = wide_2 - choice_1;
        const float exp_1 = exp2(log2_e * sub_1);
        sum_part_1 = sum_part_1 + exp_1;
        exp_row[c][i] = exp_1;
      }
    }
    const float sum_2 = across_block<Sum, 8>(sum_part_1, sum_part_1_slots);
    const float abs_1 = ::fabsf(highest_1);
    const bool is_2 = abs_1 < infinity;
    const float log_1 = ::logf(sum_2);
    const float add_1 = choice_1 + log_1;
    const float choice_2 = is_2 ? add_1 : highest_1;
    const float sub_2 = choice_2 - sum_1;
    const float neg_1 = -6.1035156e-05f;
    const float choice_4 = is_1 ? 1.f : sum_2;
    const float div_1 = 1.f / choice_4;
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      const int column = (c * 256 + t) * 8;
      Vector<bf16, 8> cast_value_at;
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const bool is_3 = column + i == picked_1;
        const float choice_3 = is_3 ? neg_1 : 0.f;
        const float mul_1 = exp_row[c][i] * div_1;
        const float mul_2 = 6.1035156e-05f * mul_1;
        const float add_2 = choice_3 + mul_2;
        const bf16 rounded_1 = narrow<bf16>(add_2);
        cast_value_at[i] = rounded_1;
      }
      store(cast_value + row * 4096 + column, cast_value_at);
    }
    sum_of_rows_1 = sum_of_rows_1 + sub_2;
  }
  if (t == 0) sum_of_rows_1_part[group] = sum_of_rows_1;
  if (!is_last_block<528>(arrived)) return;
  const float sum_3 = across_parts<Sum, 528>(sum_of_rows_1_part, 0.f, sum_3_slots);
  const float mul_3 = sum_3 * 6.1035156e-05f;
  if (threadIdx.x == 0) mul_value[0] = mul_3;
}

}  // namespace tessera
