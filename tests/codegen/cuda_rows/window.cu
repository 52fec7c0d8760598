// kernel window
//
//   reads      x 16384x4096xbf16
//   writes     window_value 16384x2047x4xbf16
//   moves      402.5 MB, 268.3 MFLOP
//   schedule   4 elements a thread, 256 threads a block, 131008 blocks
//   from       programs.cpp:112  window
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch window_5648783b_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
window_5648783b(const bf16* __restrict__ x, bf16* __restrict__ window_value) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const int d2 = t % 1 * 4;
  const int d1 = t / 1 % 2047;
  const int d0 = t / 1 / 2047;
  Vector<bf16, 4> window_value_at;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const bf16 x_at = x[d0 * 4096 + d1 * 2 + d2 + i];
    window_value_at[i] = x_at;
  }
  store(window_value + d0 * 8188 + d1 * 4 + d2, window_value_at);
}

}  // namespace tessera
