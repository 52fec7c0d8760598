// kernel scan
//
//   reads      x 16384x4096xbf16
//   writes     scan_value 16384x4096xbf16
//   moves      270.5 MB, 0.0 MFLOP
//   schedule   8 warps share 128 elements of 256 rows, 8 at once, in 128 parts
//   from       programs.cpp:99  scan
#include "routines.cuh"

namespace tessera {

extern "C" __constant__ Launch scan_120b9703_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256, 2)
scan_120b9703(const bf16* __restrict__ x, bf16* __restrict__ scan_value, float* __restrict__ totals,
    u32* __restrict__ words) {
  scan_parts_of_lanes<Sum, 8, 2048, false>(x, scan_value, 1, 16384, 4096, totals, words);
}

}  // namespace tessera
