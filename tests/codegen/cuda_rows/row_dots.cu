// kernel cast_mul_reduce
//
//   reads      y 16384x4096xbf16, dy 16384x4096xbf16
//   writes     reduce_value 16384xf32
//   moves      268.5 MB, 268.4 MFLOP
//   schedule   256 threads a row of 4096, 8 at once, 2 times; 16384 blocks
//   from       programs.cpp:143  cast cast mul reduce
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch cast_mul_reduce_222ef4c1_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
cast_mul_reduce_222ef4c1(const bf16* __restrict__ y, const bf16* __restrict__ dy, float* __restrict__ reduce_value) {
  __shared__ float sum_part_1_slots[8];
  const int t = static_cast<int>(threadIdx.x);
  const int row = static_cast<int>(blockIdx.x);
  float sum_part_1 = 0.f;
#pragma unroll
  for (int c = 0; c < 2; ++c) {
    const int column = (c * 256 + t) * 8;
    const Vector<bf16, 8> y_at = load<8>(y + row * 4096 + column);
    const Vector<bf16, 8> dy_at = load<8>(dy + row * 4096 + column);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const float wide_1 = widen(y_at[i]);
      const float wide_2 = widen(dy_at[i]);
      sum_part_1 = ::fmaf(wide_1, wide_2, sum_part_1);
    }
  }
  const float sum_1 = across_block<Sum, 8>(sum_part_1, sum_part_1_slots);  // programs.cpp:143
  if (t == 0) reduce_value[row] = sum_1;
}

}  // namespace tessera
