#pragma once
// The fused multiply-add rate of this machine, now: a loop that touches registers alone. The yardstick of every
// product in the same run.

namespace tessera::bench {

double fma_gflops(int threads);       // f32, one try of some 45 ms
double fma_peak_gflops(int threads);  // the best of three

// One thread, per second of processor time: what others run on this machine does not lower it. To be compared with
// work that is timed by the same clock.
double fma_peak_gflops_of_thread();
double thread_seconds();

}  // namespace tessera::bench
