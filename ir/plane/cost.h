#pragma once
// Whether a plane is better never written to memory.

#include <optional>
#include <string>

#include <tessera/ir/plane/sweeps.h>

namespace tessera::ir {

struct Obstruction {
  std::string why, hint;
};

// Why the plane should lie in memory; nothing if it should not. `kernels` is asked only for planes of few rows or columns:
// planning walks over all ops between the first of a plane and the last, the whole program for most planes of a model.
std::optional<Obstruction> why_materialise(const Plane& plane, const FreeOps& free,
                                           llvm::function_ref<std::vector<PlaneKernel>()> kernels);

// Is one side so short that the plane is smaller than what it streams over?
bool is_narrow(const Plane& plane);

// Rows that the seed itself sums are too wide for one block: a plane that grows from it lies in memory for sure.
bool sums_wide_rows(tsr::ContractOp seed);

}  // namespace tessera::ir
