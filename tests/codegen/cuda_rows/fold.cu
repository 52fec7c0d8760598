// kernel fold
//
//   reads      taps 16384x2047x4xbf16, taps 16384x2047x4xbf16
//   writes     value 16384x4096xbf16
//   moves      670.8 MB, 268.2 MFLOP
//   schedule   2 elements a thread, 256 threads a block, 130944 blocks
//   from       programs.cpp:116  fold
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch fold_aab3e9e7_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
fold_aab3e9e7(const bf16* __restrict__ taps, const bf16* __restrict__ taps_2, bf16* __restrict__ value) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const int d2 = t % 1 * 2;
  const int d1 = t / 1 % 2046;
  const int d0 = t / 1 / 2046;
  const Vector<bf16, 2> taps_at = load<2>(taps + 4 + d0 * 8188 + d1 * 4 + d2);
  const Vector<bf16, 2> taps_2_at = load<2>(taps_2 + 2 + d0 * 8188 + d1 * 4 + d2);
  Vector<bf16, 2> value_at;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const float wide_1 = widen(taps_at[i]);
    const float wide_2 = widen(taps_2_at[i]);
    const float add_1 = wide_1 + wide_2;
    const bf16 rounded_1 = narrow<bf16>(add_1);
    value_at[i] = rounded_1;
  }
  store(value + 2 + d0 * 4096 + d1 * 2 + d2, value_at);
}

}  // namespace tessera

// kernel fold
//
//   reads      taps 16384x2047x4xbf16
//   writes     value 16384x4096xbf16
//   moves      402.5 MB, 0.1 MFLOP
//   schedule   2 elements a thread, 256 threads a block, 64 blocks
//   from       programs.cpp:116  fold
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch fold_f42e6c72_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
fold_f42e6c72(const bf16* __restrict__ taps, bf16* __restrict__ value) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const int d1 = t % 1 * 2;
  const int d0 = t / 1;
  const Vector<bf16, 2> taps_at = load<2>(taps + d0 * 8188 + d1);
  Vector<bf16, 2> value_at;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    value_at[i] = taps_at[i];
  }
  store(value + d0 * 4096 + d1, value_at);
}

}  // namespace tessera

// kernel fold
//
//   reads      taps 16384x2047x4xbf16
//   writes     value 16384x4096xbf16
//   moves      402.5 MB, 0.1 MFLOP
//   schedule   2 elements a thread, 256 threads a block, 64 blocks
//   from       programs.cpp:116  fold
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch fold_504abe31_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
fold_504abe31(const bf16* __restrict__ taps, bf16* __restrict__ value) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const int d1 = t % 1 * 2;
  const int d0 = t / 1;
  const Vector<bf16, 2> taps_at = load<2>(taps + 8186 + d0 * 8188 + d1);
  Vector<bf16, 2> value_at;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    value_at[i] = taps_at[i];
  }
  store(value + 4094 + d0 * 4096 + d1, value_at);
}

}  // namespace tessera
