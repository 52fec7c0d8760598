#pragma once
// The laws that let a partial result be moved from one statistic to another, at random points and at infinite ones.

#include <string>

#include <tessera/ir/fuse/Fuse.h>

#include "tests/support/host_data.h"

namespace tessera::testing {

// For each fuse.repair of the cascade, with ⊞ its combination, ⊙ what it moves by, g what is combined and h its region:
//   (H1) g(x, r′) = g(x, r) ⊙ h(r, r′)
//   (H2) (a ⊞ b) ⊙ h = (a ⊙ h) ⊞ (b ⊙ h), and the neutral element stays what it is
//   (H3) h(r, r′) ⊙ h(r′, r″) = h(r, r″), and h(r, r) is neutral
// x holds −∞ at some points, and r″ is +∞ at some (−∞ where the statistic is a least one). Says what does not hold to
// a relative `tolerance`, or "". `points` counts those at which g was a number that h could move.
std::string broken_law(fuse::CascadeOp cascade, Draw& draw, double tolerance, int& points);

}  // namespace tessera::testing
