// kernel scan
//
//   reads      x 16384x4096xbf16
//   writes     scan_value 16384x4096xbf16
//   moves      268.4 MB, 0.0 MFLOP
//   schedule   512 threads a row, 8 at once
//   from       programs.cpp:98  scan
#include "routines.cuh"

namespace tessera {

extern "C" __constant__ Launch scan_cdcee130_launch = {512, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(512)
scan_cdcee130(const bf16* __restrict__ x, bf16* __restrict__ scan_value) {
  const i64 row = static_cast<i64>(blockIdx.x);
  const i64 start = static_cast<i64>(row) * 4096;
  scan_row<Sum, 512, 8>(Ordered<true, const bf16>{x + start, 4096, 1}, Ordered<true, bf16>{scan_value + start, 4096, 1},
      0, 4096, static_cast<const float*>(nullptr), 0);
}

}  // namespace tessera
