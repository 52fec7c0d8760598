#pragma once
// Programs of one contraction each: what the CUDA tests of contractions record, in sizes of a model and in ragged ones.

#include "tests/codegen/cuda_rows/programs.h"

namespace tessera::testing {

enum class Size { of_a_model, ragged };

// "linear_gelu", "weight_gradient", "scores", "conv", "conv_filter_gradient", …
const std::vector<std::string>& contract_program_names();
RowProgram contract_program(const std::string& name, Size size, DType dtype, const MakeInput& make);

// One product and nothing behind it: d[batch, m, n], its operands along K or along their rows.
struct ProductShape {
  int64_t batch, m, n, k;
  bool a_along_k = true, b_along_k = true;
  DType dtype = bf16;
};
RowProgram product_program(const ProductShape& shape, const MakeInput& make);

}  // namespace tessera::testing
