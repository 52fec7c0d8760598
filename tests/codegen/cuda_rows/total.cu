// kernel cast_reduce
//
//   reads      x 16384x4096xbf16
//   writes     reduce_value f32
//   moves      134.2 MB, 134.2 MFLOP
//   schedule   32 threads a row of 4096, 8 at once, 1 times; 264 groups walk 63 rows each; 528 blocks
//   from       programs.cpp:85  cast reduce
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch cast_reduce_7a99869c_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
cast_reduce_7a99869c(const bf16* __restrict__ x, float* __restrict__ reduce_value, float* __restrict__ sum_of_rows_1_part) {
  const int split = static_cast<int>(blockIdx.x) % 16;
  const int t = static_cast<int>(threadIdx.x) % 32;
  const int group = static_cast<int>(blockIdx.x) / 16 * 8 + static_cast<int>(threadIdx.x) / 32;
  float sum_of_rows_1 = 0.f;
#pragma unroll 4
  for (int row = group; row < 16384; row += 264) {
    {
      const int column = (split * 32 + t) * 8;
      const Vector<bf16, 8> x_at = load_once<8>(x + row * 4096 + column);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float wide_1 = widen(x_at[i]);
        sum_of_rows_1 = sum_of_rows_1 + wide_1;  // programs.cpp:85
      }
    }
  }
  const auto sum_of_rows_1_whole = across_warp<Sum>(sum_of_rows_1);
  if (t == 0) sum_of_rows_1_part[group * 16 + split] = sum_of_rows_1_whole;
}

}  // namespace tessera

// kernel cast_reduce_parts
//
//   reads      part 4224xf32
//   writes     reduce_value f32
//   moves      16.9 kB, 0.0 MFLOP
//   schedule   1024 threads a row of 4224, 4 at once, 2 times; 1 blocks
//   from       programs.cpp:85  reduce
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch cast_reduce_parts_ab0997ad_launch = {1024, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(1024)
cast_reduce_parts_ab0997ad(const float* __restrict__ part, float* __restrict__ reduce_value) {
  __shared__ float sum_part_1_slots[32];
  const int t = static_cast<int>(threadIdx.x);
  float sum_part_1 = 0.f;
#pragma unroll
  for (int c = 0; c < 2; ++c) {
    const int column = (c * 1024 + t) * 4;
    if (column < 4224) {
      const Vector<float, 4> part_at = load<4>(part + column);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        sum_part_1 = sum_part_1 + part_at[i];
      }
    }
  }
  const float sum_1 = across_block<Sum, 32>(sum_part_1, sum_part_1_slots);  // programs.cpp:85
  if (t == 0) reduce_value[0] = sum_1;
}

}  // namespace tessera
