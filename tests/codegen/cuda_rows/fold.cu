// kernel fill
//
//   writes     fold_value 16384x4096xbf16
//   moves      134.2 MB, 67.1 MFLOP
//   schedule   8 elements a thread, 256 threads a block, 32768 blocks
//   from       programs.cpp:116  fold
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch fill_81f0e699_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
fill_81f0e699(bf16* __restrict__ fold_value) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const int first = t * 8;
  const bf16 rounded_1 = narrow<bf16>(0.f);  // programs.cpp:116
  Vector<bf16, 8> fold_value_at;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    fold_value_at[i] = rounded_1;
  }
  store(fold_value + first, fold_value_at);
}

}  // namespace tessera

// kernel fold
//
//   reads      taps 16384x2047x4xbf16, fold_value 16384x4096xbf16
//   writes     value 16384x4096xbf16
//   moves      536.7 MB, 268.3 MFLOP
//   schedule   2 elements a thread, 256 threads a block, 131008 blocks
//   from       programs.cpp:116  fold
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch fold_5fbf6cb7_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
fold_5fbf6cb7(const bf16* taps, const bf16* fold_value, bf16* value) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const int d2 = t % 1 * 2;
  const int d1 = t / 1 % 2047;
  const int d0 = t / 1 / 2047;
  const Vector<bf16, 2> fold_value_at = load<2>(fold_value + d0 * 4096 + d1 * 2 + d2);
  const Vector<bf16, 2> taps_at = load<2>(taps + d0 * 8188 + d1 * 4 + d2);
  Vector<bf16, 2> value_at;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const float wide_1 = widen(fold_value_at[i]);
    const float wide_2 = widen(taps_at[i]);
    const float add_1 = wide_1 + wide_2;
    const bf16 rounded_1 = narrow<bf16>(add_1);
    value_at[i] = rounded_1;
  }
  store(value + d0 * 4096 + d1 * 2 + d2, value_at);
}

}  // namespace tessera

// kernel fold
//
//   reads      taps 16384x2047x4xbf16, value 16384x4096xbf16
//   writes     value 16384x4096xbf16
//   moves      536.7 MB, 268.3 MFLOP
//   schedule   2 elements a thread, 256 threads a block, 131008 blocks
//   from       programs.cpp:116  fold
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch fold_772beec8_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
fold_772beec8(const bf16* taps, const bf16* value, bf16* value_2) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const int d2 = t % 1 * 2;
  const int d1 = t / 1 % 2047;
  const int d0 = t / 1 / 2047;
  const Vector<bf16, 2> value_at = load<2>(value + 2 + d0 * 4096 + d1 * 2 + d2);
  const Vector<bf16, 2> taps_at = load<2>(taps + 2 + d0 * 8188 + d1 * 4 + d2);
  Vector<bf16, 2> value_2_at;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const float wide_1 = widen(value_at[i]);
    const float wide_2 = widen(taps_at[i]);
    const float add_1 = wide_1 + wide_2;
    const bf16 rounded_1 = narrow<bf16>(add_1);
    value_2_at[i] = rounded_1;
  }
  store(value_2 + 2 + d0 * 4096 + d1 * 2 + d2, value_2_at);
}

}  // namespace tessera
