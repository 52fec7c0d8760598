#pragma once
// Sums over rows and columns at once, as the gradient of a learned scale makes them: taken apart into a sum over columns,
// which is a statistic of the plane, and one over what is left, which is small.

#include <tessera/ir/plane/plane.h>

namespace tessera::ir {

// True if there were any: the plane must grow again.
bool split_sums(const Plane& plane);

}  // namespace tessera::ir
