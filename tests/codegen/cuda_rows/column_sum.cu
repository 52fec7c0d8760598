// kernel cast_reduce
//
//   reads      dy 16384x4096xbf16
//   writes     reduce_value 4096xf32
//   moves      134.2 MB, 134.2 MFLOP
//   schedule   256 threads a row of 4096, 8 at once, 1 times; 261 groups walk 63 rows each; 522 blocks
//   from       programs.cpp:84  cast reduce
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch cast_reduce_a9ed33d2_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
cast_reduce_a9ed33d2(const bf16* __restrict__ dy, float* __restrict__ reduce_value, float* __restrict__ sum_of_rows_1_part) {
  const int split = static_cast<int>(blockIdx.x) % 2;
  const int t = static_cast<int>(threadIdx.x);
  const int group = static_cast<int>(blockIdx.x) / 2;
  Vector<float, 8> sum_of_rows_1[1];
#pragma unroll
  for (int i = 0; i < 8; ++i) sum_of_rows_1[i / 8][i % 8] = 0.f;
  const int row_end = min(static_cast<int>(group + 1) * 63, static_cast<int>(16384));
#pragma unroll 4
  for (int row = static_cast<int>(group) * 63; row < row_end; ++row) {
    {
      const int column = (split * 256 + t) * 8;
      const Vector<bf16, 8> dy_at = load<8>(dy + row * 4096 + column);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float wide_1 = widen(dy_at[i]);
        sum_of_rows_1[0][i] = sum_of_rows_1[0][i] + wide_1;  // programs.cpp:84
      }
    }
  }
  {
    const int column = (split * 256 + t) * 8;
    store(sum_of_rows_1_part + static_cast<i64>(group) * 4096 + column, sum_of_rows_1[0]);
  }
}

}  // namespace tessera

// kernel cast_reduce_parts
//
//   reads      part 1069056xf32
//   writes     reduce_value 4096xf32
//   moves      4.3 MB, 1.1 MFLOP
//   schedule   a row in each lane, 32 warps share its 261 elements, 9 times; 128 blocks
//   from       programs.cpp:84  reduce
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch cast_reduce_parts_001cc461_launch = {1024, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(1024)
cast_reduce_parts_001cc461(const float* __restrict__ part, float* __restrict__ reduce_value) {
  __shared__ float sum_part_1_slots[32][32];
  const int t = static_cast<int>(threadIdx.x) / 32;
  const int row = static_cast<int>(blockIdx.x) * 32 + static_cast<int>(threadIdx.x) % 32;
  float sum_part_1 = 0.f;
#pragma unroll
  for (int c = 0; c < 9; ++c) {
    const int column = c * 32 + t;
    if (column < 261) {
      const float part_at = part[row + column * 4096];
      sum_part_1 = sum_part_1 + part_at;
    }
  }
  const float sum_1 = across_warps<Sum, 32>(sum_part_1, sum_part_1_slots);  // programs.cpp:84
  if (t == 0) reduce_value[row] = sum_1;
}

}  // namespace tessera
