// kernel argsort
//
//   reads      x 16384x4096xbf16
//   writes     argsort_value 16384x4096xi64
//   moves      671.1 MB, 0.0 MFLOP
//   schedule   128 threads sort a row of 4096 in 3 passes, 32 elements each
//   from       programs.cpp:96  argsort
#include "routines.cuh"

namespace tessera {

extern "C" __constant__ Launch argsort_21d3cebe_launch = {128, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(128, 5)
argsort_21d3cebe(const bf16* __restrict__ x, i64* __restrict__ argsort_value) {
  const int row = blockIdx.x;
  const i64 start = static_cast<i64>(row) * 4096;
  argsort_in_block<true, 32>(x, start, 4096, 1, argsort_value);
}

}  // namespace tessera
