// kernel cast_mul_reduce_sub
//
//   reads      y 16384x4096xbf16, dy 16384x4096xbf16
//   writes     cast_value 16384x4096xbf16
//   moves      402.7 MB, 604.0 MFLOP
//   schedule   256 threads a row of 4096, 8 at once, 2 times; 16384 blocks
//   from       programs.cpp:70  cast cast
//              programs.cpp:71  mul reduce sub mul cast
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch cast_mul_reduce_sub_4d9c29b6_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
cast_mul_reduce_sub_4d9c29b6(const bf16* __restrict__ y, const bf16* __restrict__ dy, bf16* __restrict__ cast_value) {
  __shared__ float sum_part_1_slots[8];
  const int t = static_cast<int>(threadIdx.x);
  const int row = static_cast<int>(blockIdx.x);
  Vector<bf16, 8> y_row[2];
  Vector<bf16, 8> dy_row[2];
#pragma unroll
  for (int c = 0; c < 2; ++c) {
    const int column = (c * 256 + t) * 8;
    y_row[c] = load<8>(y + row * 4096 + column);
    dy_row[c] = load<8>(dy + row * 4096 + column);
  }
  float sum_part_1 = 0.f;
#pragma unroll
  for (int c = 0; c < 2; ++c) {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const float wide_1 = widen(y_row[c][i]);
      const float wide_2 = widen(dy_row[c][i]);
      sum_part_1 = ::fmaf(wide_1, wide_2, sum_part_1);
    }
  }
  const float sum_1 = across_block<Sum, 8>(sum_part_1, sum_part_1_slots);  // programs.cpp:71
#pragma unroll
  for (int c = 0; c < 2; ++c) {
    const int column = (c * 256 + t) * 8;
    Vector<bf16, 8> cast_value_at;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const float wide_3 = widen(y_row[c][i]);
      const float wide_4 = widen(dy_row[c][i]);
      const float sub_1 = wide_4 - sum_1;
      const float mul_1 = wide_3 * sub_1;
      const bf16 rounded_1 = narrow<bf16>(mul_1);
      cast_value_at[i] = rounded_1;
    }
    store(cast_value + row * 4096 + column, cast_value_at);
  }
}

}  // namespace tessera
