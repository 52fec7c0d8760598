#pragma once
// What the text of a kernel follows from, but for names and lines of the user.

#include <string>

#include "mlir/IR/Operation.h"

namespace tessera::cuda {

// Two kernels of one context have the same if and only if they differ in places, and in which values they are given, at
// most. It holds addresses, so it means nothing elsewhere.
std::string structure_of(mlir::Operation& kernel);
// The same for kernels of the same structure, in all contexts: eight digits that tell namesakes apart.
std::string body_digits(mlir::Operation& kernel);

}  // namespace tessera::cuda
