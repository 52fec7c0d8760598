// kernel cast_reduce
//
//   reads      dy 16384x4096xbf16
//   writes     reduce_value 4096xf32
//   moves      134.2 MB, 134.2 MFLOP
//   schedule   32 threads a row of 4096, 8 at once, 1 times; 264 groups walk 63 rows each; 528 blocks
//   from       programs.cpp:84  cast reduce
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch cast_reduce_38d83fb7_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
cast_reduce_38d83fb7(const bf16* __restrict__ dy, float* __restrict__ reduce_value, float* __restrict__ sum_of_rows_1_part) {
  __shared__ Vector<float, 8> sum_of_rows_1_slots[8][32];
  const int split = static_cast<int>(blockIdx.x) % 16;
  const int t = static_cast<int>(threadIdx.x) % 32;
  const int group = static_cast<int>(blockIdx.x) / 16 * 8 + static_cast<int>(threadIdx.x) / 32;
  Vector<float, 8> sum_of_rows_1[1];
#pragma unroll
  for (int i = 0; i < 8; ++i) sum_of_rows_1[i / 8][i % 8] = 0.f;
#pragma unroll 4
  for (int row = group; row < 16384; row += 264) {
    {
      const int column = (split * 32 + t) * 8;
      const Vector<bf16, 8> dy_at = load_once<8>(dy + row * 4096 + column);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float wide_1 = widen(dy_at[i]);
        sum_of_rows_1[0][i] = sum_of_rows_1[0][i] + wide_1;  // programs.cpp:84
      }
    }
  }
  sum_of_rows_1[0] = across_warps<Sum, 8>(sum_of_rows_1[0], sum_of_rows_1_slots);
  {
    const int column = (split * 32 + t) * 8;
    if (threadIdx.x < 32) store(sum_of_rows_1_part + static_cast<i64>(group / 8) * 4096 + column, sum_of_rows_1[0]);
  }
}

}  // namespace tessera

// kernel cast_reduce_parts
//
//   reads      part 135168xf32
//   writes     reduce_value 4096xf32
//   moves      557.1 kB, 0.1 MFLOP
//   schedule   a row in each lane, 16 warps share its 33 elements, 3 times; 128 blocks
//   from       programs.cpp:84  reduce
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch cast_reduce_parts_1ebc3454_launch = {512, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(512)
cast_reduce_parts_1ebc3454(const float* __restrict__ part, float* __restrict__ reduce_value) {
  __shared__ float sum_part_1_slots[16][32];
  const int t = static_cast<int>(threadIdx.x) / 32;
  const int row = static_cast<int>(blockIdx.x) * 32 + static_cast<int>(threadIdx.x) % 32;
  float sum_part_1 = 0.f;
#pragma unroll
  for (int c = 0; c < 3; ++c) {
    const int column = c * 16 + t;
    if (column < 33) {
      const float part_at = part[row + column * 4096];
      sum_part_1 = sum_part_1 + part_at;
    }
  }
  const float sum_1 = across_warps<Sum, 16>(sum_part_1, sum_part_1_slots);  // programs.cpp:84
  if (t == 0) reduce_value[row] = sum_1;
}

}  // namespace tessera
