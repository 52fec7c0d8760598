#pragma once
// Why a kernel has no CUDA text yet. Whoever knows the recording makes the user's error of it.

#include <string>

namespace mlir {
class Operation;
}

namespace tessera::cuda {

struct Unsupported {
  std::string what;               // "a reduction over …"
  mlir::Operation* op = nullptr;  // which op of the body, if one alone stands in the way
};

}  // namespace tessera::cuda
