#pragma once
// Cheaper spellings of what follows a product, where all of it is rounded to 16 bits: each is at least as exact as the
// statements that it stands for.

#include <tessera/codegen/cuda/rows/values_text.h>

namespace tessera::cuda {

bool rounds_all_results(fuse::KernelOp kernel);

// Before anything else of the body is printed. A product and a sum are one operation, gelu one exponential, and so is its
// derivative; what products of a sum share is taken out of it.
void use_quick_math(ValuesText& values);

}  // namespace tessera::cuda
