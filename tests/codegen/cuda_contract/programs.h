#pragma once
// Programs of one contraction each: what the CUDA tests of contractions record, in sizes of a model and in ragged ones.

#include "tests/codegen/cuda_rows/programs.h"

namespace tessera::testing {

enum class Size { of_a_model, ragged };

// "linear_gelu", "weight_gradient", "scores", "conv", "conv_filter_gradient", …
const std::vector<std::string>& contract_program_names();
RowProgram contract_program(const std::string& name, Size size, DType dtype, const MakeInput& make);

}  // namespace tessera::testing
