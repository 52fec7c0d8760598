#pragma once
// The CUDA C++ text of a cascade: operands to shared memory, products to registers, and one statement per op of the body.

#include <string>

#include <tessera/codegen/cuda/cascade/schedule.h>
#include <tessera/codegen/cuda/rows/kernel_text.h>

namespace tessera::cuda {

// Parameters: inputs and results of the cascade, and the error words where an index is checked.
std::string cascade_text(const Cascade& c, const CascadeSchedule& schedule, KernelWords words);

// Why the cascade has no text; "" where it has one.
std::string why_no_text(fuse::CascadeOp op);

}  // namespace tessera::cuda
