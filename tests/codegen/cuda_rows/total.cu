// kernel cast_reduce
//
//   reads      x 16384x4096xbf16
//   writes     reduce_value f32
//   moves      134.2 MB, 134.2 MFLOP
//   schedule   32 threads a row of 4096, 8 at once, 1 times; 256 groups walk 64 rows each; 512 blocks
//   from       programs.cpp:85  cast reduce
#include "last_block.cuh"
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch cast_reduce_9d45f0f2_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256, 4)
cast_reduce_9d45f0f2(const bf16* __restrict__ x, float* __restrict__ reduce_value, float* __restrict__ sum_of_rows_1_part,
    u32* __restrict__ arrived) {
  __shared__ float sum_of_rows_1_whole_slots[8];
  __shared__ float sum_1_slots[8];
  const int split = static_cast<int>(blockIdx.x) % 16;
  const int t = static_cast<int>(threadIdx.x) % 32;
  const int group = static_cast<int>(blockIdx.x) / 16 * 8 + static_cast<int>(threadIdx.x) / 32;
  float sum_of_rows_1 = 0.f;
#pragma unroll 4
  for (int row = group; row < 16384; row += 256) {
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
  const auto sum_of_rows_1_whole = across_block<Sum, 8>(sum_of_rows_1, sum_of_rows_1_whole_slots);
  if (threadIdx.x == 0) sum_of_rows_1_part[blockIdx.x] = sum_of_rows_1_whole;
  if (!is_last_block<512>(arrived)) return;
  const float sum_1 = across_parts<Sum, 512>(sum_of_rows_1_part, 0.f, sum_1_slots);
  if (threadIdx.x == 0) reduce_value[0] = sum_1;
}

}  // namespace tessera
