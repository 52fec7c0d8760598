#pragma once
// How tanh and e^x are printed follows from what reads them (tanh_text.h, text_by_power_of_two). Said once for a kernel, before
// it becomes several launches: what two of them compute has to be the same to the last bit, as where one looks for the maximum
// that another has found.

#include <optional>

#include <tessera/ir/fuse/Fuse.h>

namespace tessera::cuda {

// Leaves what has been said as it is: copies of a body bring it along.
void decide_spellings(fuse::KernelOp kernel);

// Is it printed as its readers allow? Nothing where nobody has said.
std::optional<bool> is_spelled_short(mlir::Operation* op);

}  // namespace tessera::cuda
