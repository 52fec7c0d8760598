#pragma once
// Sums that a plane can take once they are written another way. Over rows and columns at once, as the gradient of a
// learned scale makes them: a sum over columns, which is a statistic of the plane, and one over what is left, which is
// small. Over batches in a narrow type: in f32, since they lie in memory from one batch to the next.

#include <tessera/ir/plane/plane.h>

namespace tessera::ir {

// Are there any over both sides?
bool sums_both_sides(const Plane& plane);
// True if there were any: the plane must grow again.
bool split_sums(const Plane& plane);

}  // namespace tessera::ir
