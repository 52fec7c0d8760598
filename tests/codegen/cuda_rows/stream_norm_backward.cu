// kernel cast_mul_reduce_add_etc
//
//   reads      dy 16384x4096xbf16, weight 4096xbf16, x 16384x4096xf32, stream 16384x4096xf32
//   writes     add_value 16384x4096xf32, cast_value 4096xbf16
//   moves      939.5 MB, 1744.8 MFLOP
//   schedule   256 threads a row of 4096, 4 at once, 4 times; 256 groups walk 64 rows each; 128 blocks
//   from       programs.cpp:43  cast
//              programs.cpp:38  cast mul mul reduce mul add rsqrt mul mul reduce mul mul mul mul mul mul add add mul mul reduce cast
//              programs.cpp:139  add
#include "barrier.cuh"
#include "rows.cuh"
#include "shared_memory.cuh"

namespace tessera {

struct cast_mul_reduce_add_etc_70b4ffae_rows {
  alignas(16) unsigned char met[8192];
};

extern "C" __constant__ Launch cast_mul_reduce_add_etc_70b4ffae_launch = {512, 1, sizeof(cast_mul_reduce_add_etc_70b4ffae_rows), {}};

extern "C" __global__ void __launch_bounds__(512, 1)
cast_mul_reduce_add_etc_70b4ffae(const bf16* __restrict__ dy, const bf16* __restrict__ weight, const float* __restrict__ x,
    const float* __restrict__ stream, float* __restrict__ add_value, bf16* __restrict__ cast_value,
    float* __restrict__ sum_of_rows_1_part) {
  auto& held = shared_memory<cast_mul_reduce_add_etc_70b4ffae_rows>();
  __shared__ float sum_part_1_slots[2][8];
  __shared__ float sum_part_2_slots[2][8];
  const int t = static_cast<int>(threadIdx.x) % 256;
  const int of_block = static_cast<int>(threadIdx.x) / 256;
  const int group = static_cast<int>(blockIdx.x) * 2 + of_block;
  Vector<float, 4> sum_of_rows_1[4];
#pragma unroll
  for (int i = 0; i < 16; ++i) sum_of_rows_1[i / 4][i % 4] = 0.f;
  for (int row = group; row < 16384; row += 256) {
    Vector<bf16, 4> dy_row[4];
    Vector<bf16, 4> weight_row[4];
    Vector<float, 4> x_row[4];
    Vector<float, 4> stream_row[4];
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      const int column = (c * 256 + t) * 4;
      dy_row[c] = load<4>(dy + row * 4096 + column);
      weight_row[c] = load<4>(weight + column);
      x_row[c] = load<4>(x + row * 4096 + column);
      stream_row[c] = load<4>(stream + row * 4096 + column);
    }
    float sum_part_1 = 0.f;
    float sum_part_2 = 0.f;
#pragma unroll
    for (int c = 0; c < 4; ++c) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        sum_part_1 = ::fmaf(x_row[c][i], x_row[c][i], sum_part_1);
        const float wide_1 = widen(dy_row[c][i]);
        const float wide_2 = widen(weight_row[c][i]);
        const float mul_1 = wide_1 * wide_2;  // programs.cpp:38
        sum_part_2 = ::fmaf(mul_1, x_row[c][i], sum_part_2);
      }
    }
    leave<Sum>(sum_part_1, sum_part_1_slots[of_block]);
    leave<Sum>(sum_part_2, sum_part_2_slots[of_block]);
    group_sync<256>(of_block);
    const float sum_1 = taken<Sum>(sum_part_1_slots[of_block]);
    const float sum_2 = taken<Sum>(sum_part_2_slots[of_block]);
    const float mul_2 = sum_1 * 0.00024414062f;
    const float add_1 = mul_2 + 1e-05f;
    const float rsqrt_1 = ::rsqrtf(add_1);
    const float mul_6 = rsqrt_1 * rsqrt_1;
    const float mul_7 = mul_6 * rsqrt_1;
    const float mul_8 = -0.5f * mul_7;
    const float mul_9 = sum_2 * mul_8;
    const float mul_10 = mul_9 * 0.00024414062f;
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      const int column = (c * 256 + t) * 4;
      Vector<float, 4> add_value_at;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float wide_3 = widen(dy_row[c][i]);
        const float mul_3 = x_row[c][i] * rsqrt_1;
        sum_of_rows_1[c][i] = ::fmaf(wide_3, mul_3, sum_of_rows_1[c][i]);
        const float wide_4 = widen(weight_row[c][i]);
        const float mul_4 = wide_3 * wide_4;
        const float mul_5 = mul_4 * rsqrt_1;
        const float mul_11 = mul_10 * x_row[c][i];
        const float add_2 = mul_5 + mul_11;
        const float add_3 = add_2 + mul_11;
        const float add_4 = add_3 + stream_row[c][i];  // programs.cpp:139
        add_value_at[i] = add_4;
      }
      store(add_value + row * 4096 + column, add_value_at);
    }
    group_sync<256>(of_block);
  }
#pragma unroll
  for (int c = 0; c < 4; ++c) sum_of_rows_1[c] = across_groups<Sum, 2, 256>(sum_of_rows_1[c], held.met);
#pragma unroll
  for (int c = 0; c < 4; ++c) {
    const int column = (c * 256 + t) * 4;
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
