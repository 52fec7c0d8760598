// kernel cast_mul_reduce_add_etc
//
//   reads      dy 16384x4096xbf16, weight 4096xbf16, x 16384x4096xbf16
//   writes     cast_value 16384x4096xbf16, cast_value 4096xbf16
//   moves      402.7 MB, 1946.2 MFLOP
//   schedule   256 threads a row of 4096, 8 at once, 2 times; 256 groups walk 64 rows each; 128 blocks
//   from       programs.cpp:38  cast cast mul mul reduce mul add rsqrt mul mul reduce mul mul mul mul mul mul add add mul mul reduce cast
//              programs.cpp:37  cast cast
#include "async.cuh"
#include "barrier.cuh"
#include "rows.cuh"
#include "shared_memory.cuh"

namespace tessera {

struct cast_mul_reduce_add_etc_f7695f47_rows {
  alignas(16) Vector<bf16, 8> dy_ahead[2][2][2][256];
  alignas(16) Vector<bf16, 8> x_ahead[2][2][2][256];
  alignas(16) unsigned char met[16384];
};

extern "C" __constant__ Launch cast_mul_reduce_add_etc_f7695f47_launch = {512, 1, sizeof(cast_mul_reduce_add_etc_f7695f47_rows), {}};

extern "C" __global__ void __launch_bounds__(512, 1)
cast_mul_reduce_add_etc_f7695f47(const bf16* __restrict__ dy, const bf16* __restrict__ weight, const bf16* __restrict__ x,
    bf16* __restrict__ cast_value, bf16* __restrict__ cast_value_2, float* __restrict__ sum_of_rows_1_part) {
  auto& held = shared_memory<cast_mul_reduce_add_etc_f7695f47_rows>();
  __shared__ float sum_part_1_slots[2][2][8];
  __shared__ float sum_part_2_slots[2][2][8];
  const int t = static_cast<int>(threadIdx.x) % 256;
  const int of_block = static_cast<int>(threadIdx.x) / 256;
  const int group = static_cast<int>(blockIdx.x) * 2 + of_block;
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
      copy_async<16>(&held.dy_ahead[of_block][slot][c][t], dy + row * 4096 + column, true);
      copy_async<16>(&held.x_ahead[of_block][slot][c][t], x + row * 4096 + column, true);
    }
    end_group();
  };
  bring(group, 0);
  int slot = 0;
  for (int row = group; row < 16384; row += 256, slot ^= 1) {
    if (row + 256 < 16384) bring(row + 256, slot ^ 1);  // while this one is computed
    else end_group();
    wait_for_groups<1>();
    Vector<bf16, 8> dy_row[2];
    Vector<bf16, 8> x_row[2];
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      dy_row[c] = load<8>(held.dy_ahead[of_block][slot][c][t].values);
      x_row[c] = load<8>(held.x_ahead[of_block][slot][c][t].values);
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
    leave<Sum>(sum_part_1, sum_part_1_slots[slot][of_block]);
    leave<Sum>(sum_part_2, sum_part_2_slots[slot][of_block]);
    group_sync<256>(of_block);
    const float sum_1 = taken<Sum>(sum_part_1_slots[slot][of_block]);
    const float sum_2 = taken<Sum>(sum_part_2_slots[slot][of_block]);
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
  }
#pragma unroll
  for (int c = 0; c < 2; ++c) sum_of_rows_1[c] = across_groups<Sum, 2, 256>(sum_of_rows_1[c], held.met);
#pragma unroll
  for (int c = 0; c < 2; ++c) {
    const int column = (c * 256 + t) * 8;
    if (threadIdx.x < 256) store(sum_of_rows_1_part + static_cast<i64>(group / 2) * 4096 + column, sum_of_rows_1[c]);
  }
}

}  // namespace tessera

// kernel cast_mul_reduce_add_etc_parts
//
//   reads      part 524288xf32
//   writes     cast_value 4096xbf16
//   moves      2.1 MB, 2.1 MFLOP
//   schedule   a row in each lane, 8 warps share its 128 elements, 16 times; 128 blocks
//   from       programs.cpp:38  reduce cast
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch cast_mul_reduce_add_etc_parts_f73a7519_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
cast_mul_reduce_add_etc_parts_f73a7519(const float* __restrict__ part, bf16* __restrict__ cast_value) {
  __shared__ float sum_part_1_slots[8][32];
  const int t = static_cast<int>(threadIdx.x) / 32;
  const int row = static_cast<int>(blockIdx.x) * 32 + static_cast<int>(threadIdx.x) % 32;
  float sum_part_1 = 0.f;
#pragma unroll
  for (int c = 0; c < 16; ++c) {
    const int column = c * 8 + t;
    const float part_at = part[row + column * 4096];
    sum_part_1 = sum_part_1 + part_at;
  }
  const float sum_1 = across_warps<Sum, 8>(sum_part_1, sum_part_1_slots);  // programs.cpp:38
  const bf16 rounded_1 = narrow<bf16>(sum_1);
  if (t == 0) cast_value[row] = rounded_1;
}

}  // namespace tessera
