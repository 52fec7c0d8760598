#pragma once
// Cheaper spellings of what follows a product, where all of it is rounded to 16 bits: each is as exact as that rounding asks for
// (1 - tanh² within 5e-7). What is infinite or NaN by the statements may be the other, or finite where a factor that is taken
// out of a difference was what is infinite times nothing.

#include <tessera/codegen/cuda/rows/values_text.h>

namespace tessera::cuda {

bool rounds_all_results(fuse::KernelOp kernel);

// Before anything else of the body is printed. A product and a sum are one operation, gelu one exponential, and so is its
// derivative; what products of a sum share is taken out of it.
void use_quick_math(ValuesText& values);

}  // namespace tessera::cuda
