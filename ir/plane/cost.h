#pragma once
// Whether a plane is better never written to memory.

#include <string>

#include <tessera/ir/plane/sweeps.h>

namespace tessera::ir {

// Empty: it is. Else why not.
std::string why_materialise(const Plane& plane, const std::vector<PlaneKernel>& kernels);

}  // namespace tessera::ir
