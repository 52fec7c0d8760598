#pragma once
// The parameters of a kernel's text.

#include <tessera/codegen/cuda/rows/values_text.h>

namespace tessera::cuda {

std::string input_parameter(mlir::Type element, const std::string& name, const KernelWords& words);
// Inputs, results, one part buffer per column reduction, and the error words where an index is checked.
Lines parameters_of(const ValuesText& values);

}  // namespace tessera::cuda
