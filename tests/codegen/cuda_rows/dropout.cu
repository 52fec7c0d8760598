// kernel random_lt_select
//
//   reads      x 16384x4096xbf16
//   writes     select_value 16384x4096xbf16
//   moves      268.4 MB, 268.4 MFLOP
//   schedule   8 elements a thread, 256 threads a block, 32768 blocks
//   from       programs.cpp:82  random lt select
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch random_lt_select_b1bd0304_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
random_lt_select_b1bd0304(const bf16* __restrict__ x, bf16* __restrict__ select_value) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const int first = t * 8;
  const Vector<u32, 8> bits_1 = random_run<8>(i64(0), 0xcfa486dbb4c8ca8bull, i64(0), first);
  const Vector<bf16, 8> x_at = load<8>(x + first);
  Vector<bf16, 8> select_value_at;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const bool is_1 = bits_1[i] < 0xe6666600u;  // programs.cpp:82
    const float wide_1 = widen(x_at[i]);
    const float choice_1 = is_1 ? wide_1 : 0.f;
    const bf16 rounded_1 = narrow<bf16>(choice_1);
    select_value_at[i] = rounded_1;
  }
  store(select_value + first, select_value_at);
}

}  // namespace tessera
