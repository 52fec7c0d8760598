#pragma once
// How fast this machine copies memory, now: the yardstick of every kernel in the same run that computes little.

namespace tessera::bench {

// Bytes read plus bytes written, in 1e9 a second: each thread copies its share of 256 MiB; best of several tries.
double copy_gigabytes_per_second(int threads);

}  // namespace tessera::bench
