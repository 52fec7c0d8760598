#pragma once
// How far rounding alone may move what a program of f16 and bf16 gives. The reference rounds each value to the nearest; a
// kernel keeps more bits of what it computes inside and rounds at other places, and neither is more right. So the program runs
// several times with each rounding going up or down by a coin (discrete stochastic arithmetic, Vignes 1993), and how much an
// element strays from the reference tells how much it depends on its roundings: a cancelled sum a lot, a mean little, what is
// exact not at all.

#include <cstdint>
#include <vector>

#include <tessera/core/buffer.h>
#include <tessera/core/program.h>

namespace tessera::testing {

// By output and element: how far a program that rounds elsewhere may be from the reference. Its roundings and the reference's
// are to the nearest, at most as many, so what lies between the two has at most 0.63 of the spread that the coins make, by
// root mean squares: four times that spread are six deviations. 0 for programs without f16 and bf16.
std::vector<std::vector<double>> moved_by_rounding(const Program&, const std::vector<BufferPtr>& arguments,
                                                   const std::vector<BufferPtr>& reference);

}  // namespace tessera::testing
