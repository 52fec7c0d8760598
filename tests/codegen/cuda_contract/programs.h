#pragma once
// Programs of one contraction each: what the CUDA tests of contractions record, in sizes of a model and in ragged ones.

#include "tests/codegen/cuda_rows/programs.h"

namespace tessera::testing {

enum class Size { of_a_model, ragged };

// "linear_gelu", "weight_gradient", "scores", "conv", "conv_filter_gradient", …
const std::vector<std::string>& contract_program_names();
RowProgram contract_program(const std::string& name, Size size, DType dtype, const MakeInput& make);

// One product d[batch, m, n], its operands along K or along their rows, and nothing behind it unless that is asked for.
struct ProductShape {
  int64_t batch, m, n, k;
  bool a_along_k = true, b_along_k = true;
  DType dtype = bf16;
  bool has_gelu = false;  // and a bias; the sum that goes in is a result too
};
RowProgram product_program(const ProductShape& shape, const MakeInput& make);

// [m, n] of dy[m, k] with a weight[k, n], times the derivative of gelu by h[m, n], which f32 computes.
Tensor gelu_data_gradient(int64_t m, int64_t n, int64_t k, DType dtype, const MakeInput& make);

// A convolution with channels last, x[n, h, w, c] with weights[k, r, s, c] to y[n, p, q, k], or one of its gradients; nothing
// behind it.
struct ConvShape {
  enum class What { forward, data_gradient, filter_gradient };
  What what = What::forward;
  int64_t n = 1, h = 1, w = 1, c = 8, k = 8, r = 1, s = 1, stride = 1, dilation = 1, pad = 0;

  int64_t p() const { return (h + 2 * pad - dilation * (r - 1) - 1) / stride + 1; }
  int64_t q() const { return (w + 2 * pad - dilation * (s - 1) - 1) / stride + 1; }
};
RowProgram conv_program(const ConvShape& shape, const MakeInput& make);

}  // namespace tessera::testing
