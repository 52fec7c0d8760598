// kernel iota
//
//   writes     iota_value 50304xi64
//   moves      402.4 kB, 0.0 MFLOP
//   schedule   2 elements a thread, 256 threads a block, 99 blocks
//   from       programs.cpp:88  iota
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
    const i64 index_1 = first + i;  // programs.cpp:88
    const i64 index_cast_1 = static_cast<i64>(index_1);
    iota_value_at[i] = index_cast_1;
  }
  store(iota_value + first, iota_value_at);
}

}  // namespace tessera

// kernel cast_reduce_eq_select_etc
//
//   reads      logits 8192x50304xbf16, targets 8192xi64, iota_value 50304xi64
//   writes     mul_value f32
//   moves      824.6 MB, 6181.4 MFLOP
//   schedule   256 threads a row of 50304, 8 at once, in one walk; 792 groups walk 11 rows each; 792 blocks
//   from       programs.cpp:88  cast logsumexp iota gather eq select reduce sub reduce mul
#include "last_block.cuh"
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch cast_reduce_eq_select_etc_f9533f3f_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256, 6)
cast_reduce_eq_select_etc_f9533f3f(const bf16* __restrict__ logits, const i64* __restrict__ targets, const i64* __restrict__ iota_value,
    float* __restrict__ mul_value, float* __restrict__ sum_of_rows_1_part, u32* __restrict__ arrived,
    i64* errors) {
  __shared__ float highest_part_1_slots[8];
  __shared__ float sum_part_1_slots[8];
  __shared__ float sum_3_slots[8];
  const int t = static_cast<int>(threadIdx.x);
  const int group = static_cast<int>(blockIdx.x);
  float sum_of_rows_1 = 0.f;
  for (int row = group; row < 8192; row += 792) {
    const i64 targets_at = targets[row];
    const i64 index_cast_1 = static_cast<i64>(targets_at);  // programs.cpp:88
    const i64 picked_1 = iota_value[checked(index_cast_1, 50304, errors + 0)];
    const int place_1 = as_place(picked_1);
    float sum_1 = 0.f;
    if (const int column = place_1; column >= 0 && column < 50304)
      sum_1 = widen(logits[row * 50304 + column]);
    float highest_part_1 = -infinity;
    float sum_part_1 = 0.f;
#pragma unroll 3
    for (int column = t * 8; column < 50304; column += 2048) {
      const Vector<bf16, 8> logits_at = load<8>(logits + row * 50304 + column);
      Vector<float, 8> taken_1;
      float highest_now_1 = highest_part_1;
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float wide_1 = widen(logits_at[i]);
        taken_1[i] = wide_1;
        highest_now_1 = Max::of(highest_now_1, wide_1);
      }
      sum_part_1 = sum_part_1 * rescale(highest_part_1, highest_now_1);
      highest_part_1 = highest_now_1;
      const float shift_1 = shift_under(highest_now_1);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        sum_part_1 = sum_part_1 + exp2(log2_e * (taken_1[i] - shift_1));
      }
    }
    const float highest_1 = across_block<Max, 8>(highest_part_1, highest_part_1_slots);
    sum_part_1 = sum_part_1 * rescale(highest_part_1, highest_1);
    const float sum_2 = across_block<Sum, 8>(sum_part_1, sum_part_1_slots);
    const float abs_1 = ::fabsf(highest_1);
    const bool is_1 = abs_1 < infinity;
    const bool is_2 = highest_1 == -infinity;
    const float choice_1 = is_2 ? 0.f : highest_1;
    const float log_1 = ::logf(sum_2);
    const float add_1 = choice_1 + log_1;
    const float choice_2 = is_1 ? add_1 : highest_1;
    const float sub_1 = choice_2 - sum_1;
    sum_of_rows_1 = sum_of_rows_1 + sub_1;
  }
  if (t == 0) sum_of_rows_1_part[group] = sum_of_rows_1;
  if (!is_last_block<792>(arrived)) return;
  const float sum_3 = across_parts<Sum, 792>(sum_of_rows_1_part, 0.f, sum_3_slots);
  const float mul_1 = sum_3 * 0.00012207031f;
  if (threadIdx.x == 0) mul_value[0] = mul_1;
}

}  // namespace tessera
