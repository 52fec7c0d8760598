// kernel argmax
//
//   reads      x 16384x4096xbf16
//   writes     argmax_value 16384xi64
//   moves      134.3 MB, 0.0 MFLOP
//   schedule   a block for each row of 4096 elements, whole
//   from       programs.cpp:95  argmax
#include "routines.cuh"

namespace tessera {

extern "C" __constant__ Launch argmax_eca2eb27_launch = {128, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(128)
argmax_eca2eb27(const bf16* __restrict__ x, i64* __restrict__ argmax_value) {
  const i64 row = blockIdx.x;
  const i64 start = static_cast<i64>(row) * 4096;
  const i64 begin = 0;
  find_in_row<Largest, 128, 8>(x + start, begin, min(begin + 4096, i64(4096)), argmax_value + blockIdx.x);
}

}  // namespace tessera
