#pragma once
// The parameters of a kernel's text.

#include <tessera/codegen/cuda/rows/values_text.h>

namespace tessera::cuda {

std::string input_parameter(mlir::Type element, const std::string& name, const KernelWords& words);
// In the order of kernel_text.h.
Lines parameters_of(const ValuesText& values);

}  // namespace tessera::cuda
