#pragma once
// What of a contraction the copy engine can move: operands and results of 16-bit elements whose layout a tensor map holds.

#include <optional>

#include <tessera/codegen/cuda/contract/contraction.h>

namespace tessera::cuda {

// A tensor as a map sees it, innermost dim first: see device/launch.cuh.
struct Mapped {
  int64_t first = 0;
  std::vector<int64_t> extents, strides;
  std::vector<int> batch;  // which batch dims stand behind the first two, in their order

  int rank() const { return static_cast<int>(extents.size()); }
};

struct MappedOperand {
  Mapped tensor;
  bool along_k = true;  // else along its rows
};

struct MappedOperands {
  mlir::Type element;  // bf16 or f16
  MappedOperand a, b;
};

// Both operands, or nothing where one has no map.
std::optional<MappedOperands> map_operands(const Contraction& c);

// Result k, if elements of it can leave as boxes of rows along N.
std::optional<Mapped> map_result(const Contraction& c, unsigned k);

}  // namespace tessera::cuda
