// kernel scan_totals
//
//   reads      x 16384x4096xbf16
//   writes     scan_value 16384x4096xbf16
//   moves      136.3 MB, 0.0 MFLOP
//   schedule   a thread for each row, 8 at once, in 128 parts of 128
//   from       programs.cpp:99  scan
#include "routines.cuh"

namespace tessera {

extern "C" __constant__ Launch scan_totals_23a2568c_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
scan_totals_23a2568c(const bf16* __restrict__ x, float* __restrict__ totals) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const i64 row = static_cast<i64>(t % 512) * 8;
  const i64 start = static_cast<i64>(row / 4096) * 67108864 + row % 4096;
  const int part = static_cast<int>(t / 512);
  const i64 begin = static_cast<i64>(part) * 128;
  total_of_lanes<Sum, 8>(Ordered<false, const bf16>{x + start, 16384, 4096}, begin, min(begin + 128, i64(16384)), totals + static_cast<i64>(part) * 4096 + row);
}

}  // namespace tessera

// kernel scan
//
//   reads      x 16384x4096xbf16
//   writes     scan_value 16384x4096xbf16
//   moves      270.5 MB, 0.0 MFLOP
//   schedule   a thread for each row, 8 at once, in 128 parts of 128
//   from       programs.cpp:99  scan
#include "routines.cuh"

namespace tessera {

extern "C" __constant__ Launch scan_da6dbc3b_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
scan_da6dbc3b(const bf16* __restrict__ x, const float* __restrict__ totals, bf16* __restrict__ scan_value) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const i64 row = static_cast<i64>(t % 512) * 8;
  const i64 start = static_cast<i64>(row / 4096) * 67108864 + row % 4096;
  const int part = static_cast<int>(t / 512);
  const i64 begin = static_cast<i64>(part) * 128;
  scan_lanes<Sum, 8>(Ordered<false, const bf16>{x + start, 16384, 4096}, Ordered<false, bf16>{scan_value + start, 16384, 4096},
      begin, min(begin + 128, i64(16384)), totals + row, 4096, part);
}

}  // namespace tessera
