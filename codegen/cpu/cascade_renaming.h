#pragma once
// Whether two values of a cascade's body are the same but for the names of their dims: one operand is often read by a
// score and by an accumulation, which each have dims of their own for it, and by accumulations of parts of it.

#include <optional>
#include <vector>

#include <tessera/ir/fuse/Fuse.h>

namespace tessera::codegen {

// Per dim of the cascade: which dim it becomes, or the index at which it stands.
struct Renamed {
  int64_t dim = 0;
  std::optional<int64_t> at = {};
};

// Is `x` what `y` is when its dims are renamed? Only what is computed from memory and indices is compared.
bool is_renamed(fuse::CascadeOp cascade, mlir::Value x, mlir::Value y, const std::vector<Renamed>& dims);

}  // namespace tessera::codegen
