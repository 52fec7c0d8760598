#pragma once
// The kernel before a contraction of f32 by wgmma: what it writes of an operand, an OperandCopy.

#include <string>

#include <tessera/codegen/cuda/contract/mapped.h>
#include <tessera/codegen/cuda/rows/kernel_text.h>

namespace tessera::cuda {

int64_t copy_blocks(const OperandCopy& copy);
std::string copy_schedule_text(const OperandCopy& copy);  // in a line for people

// Parameters: where it lies, the copy and the rests, if it has such.
std::string copy_text(const OperandCopy& copy, const KernelWords& words);

}  // namespace tessera::cuda
