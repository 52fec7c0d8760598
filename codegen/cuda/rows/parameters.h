#pragma once
// The parameters of a kernel's text, and how it is launched.

#include <tessera/codegen/cuda/rows/values_text.h>

namespace tessera::cuda {

std::string input_parameter(mlir::Type element, const std::string& name, const KernelWords& words);
// In the order of kernel_text.h.
Lines parameters_of(const ValuesText& values);

// The constant that a launch follows; and where it begins early, the kernel's first statement.
std::string launch_constant(const KernelWords& words, const std::string& facts);
std::string wait_for_launch_before(const std::string& inputs);  // "part, weight"

}  // namespace tessera::cuda
