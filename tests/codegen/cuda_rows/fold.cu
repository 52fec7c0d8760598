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
//   moves      536.7 MB, 134.2 MFLOP
//   schedule   1 elements a thread, 256 threads a block, 131008 blocks
//   from       programs.cpp:116  fold
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch fold_59f3836d_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
fold_59f3836d(const bf16* taps, const bf16* fold_value, bf16* value) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const int d1 = t % 2047;
  const int d0 = t / 2047;
  const bf16 fold_value_at = fold_value[d0 * 4096 + d1 * 2];
  const float wide_1 = widen(fold_value_at);
  const bf16 taps_at = taps[d0 * 8188 + d1 * 4];
  const float wide_2 = widen(taps_at);
  const float add_1 = wide_1 + wide_2;
  const bf16 rounded_1 = narrow<bf16>(add_1);
  value[d0 * 4096 + d1 * 2] = rounded_1;
}

}  // namespace tessera

// kernel fold
//
//   reads      taps 16384x2047x4xbf16, value 16384x4096xbf16
//   writes     value 16384x4096xbf16
//   moves      536.7 MB, 134.2 MFLOP
//   schedule   1 elements a thread, 256 threads a block, 131008 blocks
//   from       programs.cpp:116  fold
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch fold_4df3e929_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
fold_4df3e929(const bf16* taps, const bf16* value, bf16* value_2) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const int d1 = t % 2047;
  const int d0 = t / 2047;
  const bf16 value_at = value[1 + d0 * 4096 + d1 * 2];
  const float wide_1 = widen(value_at);
  const bf16 taps_at = taps[1 + d0 * 8188 + d1 * 4];
  const float wide_2 = widen(taps_at);
  const float add_1 = wide_1 + wide_2;
  const bf16 rounded_1 = narrow<bf16>(add_1);
  value_2[1 + d0 * 4096 + d1 * 2] = rounded_1;
}

}  // namespace tessera

// kernel fold
//
//   reads      taps 16384x2047x4xbf16, value 16384x4096xbf16
//   writes     value 16384x4096xbf16
//   moves      536.7 MB, 134.2 MFLOP
//   schedule   1 elements a thread, 256 threads a block, 131008 blocks
//   from       programs.cpp:116  fold
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch fold_c4a26b64_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
fold_c4a26b64(const bf16* taps, const bf16* value, bf16* value_2) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const int d1 = t % 2047;
  const int d0 = t / 2047;
  const bf16 value_at = value[2 + d0 * 4096 + d1 * 2];
  const float wide_1 = widen(value_at);
  const bf16 taps_at = taps[2 + d0 * 8188 + d1 * 4];
  const float wide_2 = widen(taps_at);
  const float add_1 = wide_1 + wide_2;
  const bf16 rounded_1 = narrow<bf16>(add_1);
  value_2[2 + d0 * 4096 + d1 * 2] = rounded_1;
}

}  // namespace tessera

// kernel fold
//
//   reads      taps 16384x2047x4xbf16, value 16384x4096xbf16
//   writes     value 16384x4096xbf16
//   moves      536.7 MB, 134.2 MFLOP
//   schedule   1 elements a thread, 256 threads a block, 131008 blocks
//   from       programs.cpp:116  fold
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch fold_a0312863_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
fold_a0312863(const bf16* taps, const bf16* value, bf16* value_2) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const int d1 = t % 2047;
  const int d0 = t / 2047;
  const bf16 value_at = value[3 + d0 * 4096 + d1 * 2];
  const float wide_1 = widen(value_at);
  const bf16 taps_at = taps[3 + d0 * 8188 + d1 * 4];
  const float wide_2 = widen(taps_at);
  const float add_1 = wide_1 + wide_2;
  const bf16 rounded_1 = narrow<bf16>(add_1);
  value_2[3 + d0 * 4096 + d1 * 2] = rounded_1;
}

}  // namespace tessera
