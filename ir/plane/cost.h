#pragma once
// Whether a plane is better never written to memory.

#include <optional>
#include <string>

#include <tessera/ir/plane/sweeps.h>

namespace tessera::ir {

struct Obstruction {
  std::string why, hint;
};

// Why the plane should lie in memory; nothing if it should not.
std::optional<Obstruction> why_materialise(const Plane& plane, const std::vector<PlaneKernel>& kernels);

}  // namespace tessera::ir
