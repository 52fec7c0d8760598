#pragma once
// One way to say the body of a cascade, whatever way the program took: equal computations get equal kernels.

#include <tessera/ir/fuse/Fuse.h>

namespace tessera::ir {

// Before repairs. Exact for numbers, but for one thing: 0 or 1 times x chooses between 0 and x, also where x is infinite.
//   comparisons of indices   p >= q (index_compare.h)
//   conditions               never negated; a constant is the second choice
//   factors                  inside of a choice against 0; x · (c ? 1 : 0) is c ? x : 0
//   x − (−y)                 x + y;   x + (−y)  x − y
//   operands that commute    in an order that their expressions alone decide; constants come last
void normalize_body(fuse::CascadeOp cascade);

}  // namespace tessera::ir
