// kernel cast_reduce
//
//   reads      dy 16384x4096xbf16
//   writes     reduce_value 4096xf32
//   moves      134.2 MB, 134.2 MFLOP
//   schedule   32 threads a row of 4096, 8 at once, 1 times; 256 groups walk 64 rows each; 512 blocks
//   from       programs.cpp:84  cast reduce
#include "last_block.cuh"
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch cast_reduce_b0ef29b3_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256, 4)
cast_reduce_b0ef29b3(const bf16* __restrict__ dy, float* __restrict__ reduce_value, float* __restrict__ sum_of_rows_1_part,
    u32* __restrict__ arrived) {
  __shared__ Vector<float, 8> sum_of_rows_1_slots[8][32];
  const int split = static_cast<int>(blockIdx.x) % 16;
  const int t = static_cast<int>(threadIdx.x) % 32;
  const int group = static_cast<int>(blockIdx.x) / 16 * 8 + static_cast<int>(threadIdx.x) / 32;
  Vector<float, 8> sum_of_rows_1[1];
#pragma unroll
  for (int i = 0; i < 8; ++i) sum_of_rows_1[i / 8][i % 8] = 0.f;
#pragma unroll 4
  for (int row = group; row < 16384; row += 256) {
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
  sum_of_rows_1[0] = across_rows<Sum>(sum_of_rows_1[0], sum_of_rows_1_slots);
  {
    const int column = (split * 32 + t) * 8;
    if (threadIdx.x < 32) store(sum_of_rows_1_part + static_cast<i64>(group / 8) * 4096 + column, sum_of_rows_1[0]);
  }
  if (!is_last_block<32>(arrived + split)) return;
  {
    const int column = (split * 32 + t) * 8;
    sum_of_rows_1[0] = every_part<Sum, 8, 32, 8, 4096>(sum_of_rows_1_part + column, static_cast<int>(threadIdx.x) / 32, 0.f);
  }
  sum_of_rows_1[0] = across_rows<Sum>(sum_of_rows_1[0], sum_of_rows_1_slots);
  if (threadIdx.x < 32) {
    {
      const int column = (split * 32 + t) * 8;
      Vector<float, 8> reduce_value_at;
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        reduce_value_at[i] = sum_of_rows_1[0][i];
      }
      store(reduce_value + column, reduce_value_at);
    }
  }
}

}  // namespace tessera
