// kernel cast_reduce
//
//   reads      x 16384x4096xbf16
//   writes     reduce_value f32
//   moves      134.2 MB, 134.2 MFLOP
//   schedule   256 threads a row of 4096, 8 at once, 1 times; 261 groups walk 63 rows each; 522 blocks
//   from       programs.cpp:85  cast reduce
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch cast_reduce_9d9ff329_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
cast_reduce_9d9ff329(const bf16* __restrict__ x, float* __restrict__ reduce_value, float* __restrict__ sum_of_rows_1_part) {
  __shared__ float sum_of_rows_1_slots[8];
  const int split = static_cast<int>(blockIdx.x) % 2;
  const int t = static_cast<int>(threadIdx.x);
  const int group = static_cast<int>(blockIdx.x) / 2;
  float sum_of_rows_1 = 0.f;
  const int row_end = min(static_cast<int>(group + 1) * 63, static_cast<int>(16384));
#pragma unroll 4
  for (int row = static_cast<int>(group) * 63; row < row_end; ++row) {
    {
      const int column = (split * 256 + t) * 8;
      const Vector<bf16, 8> x_at = load<8>(x + row * 4096 + column);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float wide_1 = widen(x_at[i]);
        sum_of_rows_1 = sum_of_rows_1 + wide_1;  // programs.cpp:85
      }
    }
  }
  const auto sum_of_rows_1_whole = across_block<Sum, 8>(sum_of_rows_1, sum_of_rows_1_slots);
  if (t == 0) sum_of_rows_1_part[group * 2 + split] = sum_of_rows_1_whole;
}

}  // namespace tessera

// kernel cast_reduce_parts
//
//   reads      part 522xf32
//   writes     reduce_value f32
//   moves      2.1 kB, 0.0 MFLOP
//   schedule   256 threads a row of 522, 2 at once, 2 times; 1 blocks
//   from       programs.cpp:85  reduce
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch cast_reduce_parts_78ef0b40_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
cast_reduce_parts_78ef0b40(const float* __restrict__ part, float* __restrict__ reduce_value) {
  __shared__ float sum_part_1_slots[8];
  const int t = static_cast<int>(threadIdx.x);
  float sum_part_1 = 0.f;
#pragma unroll
  for (int c = 0; c < 2; ++c) {
    const int column = (c * 256 + t) * 2;
    if (column < 522) {
      const Vector<float, 2> part_at = load<2>(part + column);
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        sum_part_1 = sum_part_1 + part_at[i];
      }
    }
  }
  const float sum_1 = across_block<Sum, 8>(sum_part_1, sum_part_1_slots);  // programs.cpp:85
  if (t == 0) reduce_value[0] = sum_1;
}

}  // namespace tessera
