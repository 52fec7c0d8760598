// kernel iota
//
//   writes     iota_value 4096xi64
//   moves      32.8 kB, 0.0 MFLOP
//   schedule   2 elements a thread, 256 threads a block, 8 blocks
//   from       programs.cpp:93  iota
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
    const i64 index_1 = first + i;  // programs.cpp:93
    const i64 index_cast_1 = static_cast<i64>(index_1);
    iota_value_at[i] = index_cast_1;
  }
  store(iota_value + first, iota_value_at);
}

}  // namespace tessera

// kernel gather_eq_select_cast_etc
//
//   reads      targets 16384xi64, iota_value 4096xi64, logits 16384x4096xbf16
//   writes     cast_value 16384x4096xbf16
//   moves      268.6 MB, 1073.7 MFLOP
//   schedule   128 threads a row of 4096, 8 at once, 4 times; 16384 blocks
//   from       programs.cpp:93  iota gather eq broadcast neg select broadcast cast softmax mul add cast
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch gather_eq_select_cast_etc_ccdac835_launch = {128, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(128)
gather_eq_select_cast_etc_ccdac835(const i64* __restrict__ targets, const i64* __restrict__ iota_value, const bf16* __restrict__ logits,
    bf16* __restrict__ cast_value, i64* errors) {
  __shared__ float highest_part_1_slots[4];
  __shared__ float sum_part_1_slots[4];
  const int t = static_cast<int>(threadIdx.x);
  const int row = static_cast<int>(blockIdx.x);
  Vector<float, 8> exp_row[4];
  Vector<bf16, 8> logits_row[4];
#pragma unroll
  for (int c = 0; c < 4; ++c) {
    const int column = (c * 128 + t) * 8;
    logits_row[c] = load<8>(logits + row * 4096 + column);
  }
  float highest_part_1 = -infinity;
#pragma unroll
  for (int c = 0; c < 4; ++c) {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const float wide_1 = widen(logits_row[c][i]);
      highest_part_1 = Max::of(highest_part_1, wide_1);
    }
  }
  const float highest_1 = across_block<Max, 4>(highest_part_1, highest_part_1_slots);  // programs.cpp:93
  const bool is_1 = highest_1 == -infinity;
  const float choice_1 = is_1 ? 0.f : highest_1;
  float sum_part_1 = 0.f;
#pragma unroll
  for (int c = 0; c < 4; ++c) {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const float wide_2 = widen(logits_row[c][i]);
      const float sub_1 = wide_2 - choice_1;
      const float exp_1 = exp2(log2_e * sub_1);
      sum_part_1 = sum_part_1 + exp_1;
      exp_row[c][i] = exp_1;
    }
  }
  const float sum_1 = across_block<Sum, 4>(sum_part_1, sum_part_1_slots);
  const i64 targets_at = targets[row];
  const i64 index_cast_1 = static_cast<i64>(targets_at);
  const i64 picked_1 = iota_value[checked(index_cast_1, 4096, errors + 0)];
  const int place_1 = as_place(picked_1);
  const float neg_1 = -6.1035156e-05f;
  const float choice_3 = is_1 ? 1.f : sum_1;
  const float div_1 = 1.f / choice_3;
#pragma unroll
  for (int c = 0; c < 4; ++c) {
    const int column = (c * 128 + t) * 8;
    Vector<bf16, 8> cast_value_at;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const bool is_2 = column + i == place_1;
      const float choice_2 = is_2 ? neg_1 : 0.f;
      const float mul_1 = exp_row[c][i] * div_1;
      const float mul_2 = 6.1035156e-05f * mul_1;
      const float add_1 = choice_2 + mul_2;
      const bf16 rounded_1 = narrow<bf16>(add_1);
      cast_value_at[i] = rounded_1;
    }
    store(cast_value + row * 4096 + column, cast_value_at);
  }
}

}  // namespace tessera
