#pragma once
// Reductions of a kernel said so that they take fewer walks over a row.

#include <tessera/codegen/cuda/rows/rounding.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::cuda {

// A reduction of nothing but a reduction of the same kind becomes one over the dims of both. A sum whose elements share a
// factor that waits for another reduction, Σ x·r, becomes r·Σ x where x does not wait for it: both are then summed in one
// walk (the gradient of a norm has one). So does a sum over all rows with factors that no row changes, which then are equal
// sums more often: those of a batch norm's gradient, Σ w·dy·(x − m), Σ r·dy·(x − m), Σ −w·r·dy and Σ dy, are two. Factors
// stay where each op rounds by itself.
void simplify_reductions(fuse::KernelOp kernel, Rounding rounding);

}  // namespace tessera::cuda
