#pragma once
// What each function of the driver takes of the host; the clock costs 50 ns a call.

namespace tessera::cuda {
struct Driver;
}

namespace tessera::bench {

void time_driver_calls(const cuda::Driver& of);  // from now on: before the first use of the driver
void forget_driver_calls();                      // those so far
void print_driver_calls(int steps);

}  // namespace tessera::bench
