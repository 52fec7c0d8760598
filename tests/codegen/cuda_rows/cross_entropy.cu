// kernel iota
//
//   writes     iota_value 4096xi64
//   moves      32.8 kB, 0.0 MFLOP
//   schedule   2 elements a thread, 256 threads a block, 8 blocks
//   from       programs.cpp:88  iota
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch iota_cfe8fcf5_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
iota_cfe8fcf5(i64* __restrict__ iota_value) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const int first = t * 2;
  Vector<i64, 2> iota_value_at;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const i64 index_1 = first + i;  // programs.cpp:88
    const i64 index_cast_1 = static_cast<i64>(index_1);
    iota_value_at[i] = index_cast_1;
  }
  store(iota_value + first, iota_value_at);
}

}  // namespace tessera

// kernel cast_reduce_eq_select_etc
//
//   reads      logits 16384x4096xbf16, targets 16384xi64, iota_value 4096xi64
//   writes     mul_value f32
//   moves      134.4 MB, 1006.6 MFLOP
//   schedule   256 threads a row of 4096, 8 at once, 2 times; 528 groups walk 32 rows each; 528 blocks
//   from       programs.cpp:88  cast logsumexp iota gather eq select reduce sub reduce mul
#include "last_block.cuh"
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch cast_reduce_eq_select_etc_6ce4aad2_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
cast_reduce_eq_select_etc_6ce4aad2(const bf16* __restrict__ logits, const i64* __restrict__ targets, const i64* __restrict__ iota_value,
    float* __restrict__ mul_value, float* __restrict__ sum_of_rows_1_part, u32* __restrict__ arrived,
    i64* errors) {
  __shared__ float highest_part_1_slots[8];
  __shared__ float sum_part_1_slots[8];
  __shared__ float sum_3_slots[8];
  const int t = static_cast<int>(threadIdx.x);
  const int group = static_cast<int>(blockIdx.x);
  float sum_of_rows_1 = 0.f;
  for (int row = group; row < 16384; row += 528) {
    Vector<bf16, 8> logits_row[2];
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      const int column = (c * 256 + t) * 8;
      logits_row[c] = load<8>(logits + row * 4096 + column);
    }
    float highest_part_1 = -infinity;
    const i64 targets_at = targets[row];
    const i64 index_cast_1 = static_cast<i64>(targets_at);  // programs.cpp:88
    const i64 picked_1 = iota_value[checked(index_cast_1, 4096, errors + 0)];
    const int place_1 = as_place(picked_1);
    float sum_1 = 0.f;
    if (const int column = place_1; column >= 0 && column < 4096)
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
      }
    }
    const float sum_2 = across_block<Sum, 8>(sum_part_1, sum_part_1_slots);
    const float abs_1 = ::fabsf(highest_1);
    const bool is_2 = abs_1 < infinity;
    const float log_1 = ::logf(sum_2);
    const float add_1 = choice_1 + log_1;
    const float choice_2 = is_2 ? add_1 : highest_1;
    const float sub_2 = choice_2 - sum_1;
    sum_of_rows_1 = sum_of_rows_1 + sub_2;
  }
  if (t == 0) sum_of_rows_1_part[group] = sum_of_rows_1;
  if (!is_last_block<528>(arrived)) return;
  const float sum_3 = across_parts<Sum, 528>(sum_of_rows_1_part, 0.f, sum_3_slots);
  const float mul_1 = sum_3 * 6.1035156e-05f;
  if (threadIdx.x == 0) mul_value[0] = mul_1;
}

}  // namespace tessera
