#pragma once
// How far rounding alone may move what a program of f16 and bf16 gives. The reference rounds each value to the nearest; a
// kernel keeps more bits of what it computes inside and rounds at other places, and neither is more right. So the program runs
// several times with its roundings thrown by coins (discrete stochastic arithmetic: Vignes, "A stochastic arithmetic for
// reliable scientific computation", 1993), and how far an element strays from the reference tells how much it depends on them: a
// cancelled sum a lot, a mean little, what is exact not at all.

#include <vector>

#include <tessera/core/buffer.h>
#include <tessera/core/program.h>

namespace tessera::testing {

// By output and element: how far a program that rounds elsewhere may be from the reference, as `runs` runs show it; 0 where there
// is no f16 and bf16, infinite where rounding decides whether it overflows.
//
// In units of the step between two neighbours, and by mean squares: what a run reads is what the reference has, its neighbour
// across the exact value, or the exact value, so it differs by 13/36; two programs that round to the nearest, each by itself,
// differ by 1/6 at most. So four times what runs stray by are 5.9 deviations of what is looked for. Where few runs stray
// far, as where a step of one value is one of all, it is half more than the farthest. Beside that a result of 16 bits is rounded
// itself: one step.
std::vector<std::vector<double>> moved_by_rounding(const Program&, const std::vector<BufferPtr>& arguments,
                                                   const std::vector<BufferPtr>& reference, int runs);

}  // namespace tessera::testing
