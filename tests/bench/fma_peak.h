#pragma once
// The fused multiply-add rate of this machine, now: a loop that touches registers alone. The yardstick of every
// product in the same run.

namespace tessera::bench {

double fma_peak_gflops(int threads);  // f32, best of several tries

}  // namespace tessera::bench
