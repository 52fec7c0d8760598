// kernel dynamic_update_slice
//
//   reads      x 16384x4096xbf16, update 8192x4096xbf16, cast_value i64, cast_value i64
//   writes     dynamic_update_slice_value 16384x4096xbf16
//   moves      201.3 MB, 0.0 MFLOP
//   schedule   8 neighbours a thread
//   from       programs.cpp:110  dynamic_update_slice
#include "routines.cuh"

namespace tessera {

extern "C" __constant__ Launch dynamic_update_slice_186f5c77_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
dynamic_update_slice_186f5c77(const bf16* __restrict__ update, const i64* __restrict__ cast_value,
    bf16* __restrict__ dynamic_update_slice_value) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const i64 d0 = clamped(cast_value[0], 8193) + t / 512;
  store(dynamic_update_slice_value + d0 * 4096 + t % 512 * 8, load<8>(update + static_cast<i64>(t) * 8));
}

}  // namespace tessera

// kernel cast
//
//   tensors    2; what follows is of one
//   reads      start i32
//   writes     cast_value i64
//   moves      0.0 kB, 0.0 MFLOP
//   schedule   1 elements a thread, 256 threads a block, 1 blocks
//   from       programs.cpp:110  cast
#include "each.cuh"
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch cast_208d73fb_x2_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
cast_208d73fb_x2(const Each<const int*, 2> __grid_constant__ start_of,
    const Each<i64*, 2> __grid_constant__ cast_value_of) {
  const int tensor = static_cast<int>(blockIdx.x);
  const int block = 0;
  const int* __restrict__ start = start_of.of[tensor];
  i64* __restrict__ cast_value = cast_value_of.of[tensor];
  const int t = block * 256 + static_cast<int>(threadIdx.x);
  if (t >= 1) return;
  const int start_at = start[0];
  const i64 extsi_1 = static_cast<i64>(start_at);  // programs.cpp:110
  cast_value[0] = extsi_1;
}

}  // namespace tessera
