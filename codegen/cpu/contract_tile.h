#pragma once
// The register tile of a contraction and the code that all kernels of one sum type share: micro-kernel and packing.

#include <string>
#include <vector>

#include "mlir/IR/BuiltinOps.h"

#include <tessera/codegen/cpu/target.h>

namespace tessera::codegen {

struct RegisterTile {
  int lanes;   // of one vector of sums
  int mr, nr;  // rows by columns; nr is a number of vectors
};
RegisterTile register_tile(const Target& target, mlir::Type sum);
// That one and others, to choose from for the extents at hand.
std::vector<RegisterTile> register_tiles(const Target& target, mlir::Type sum);

// Appends @symbol_packed, @symbol_direct and @symbol_sum: see TileCode.
void emit_tile(mlir::ModuleOp module, const std::string& symbol, mlir::Type sum, RegisterTile tile);

// How elements come from memory: a body type, and the ops of some body that widen it to the type of a sum.
struct PackedElement {
  mlir::Type storage;
  llvm::ArrayRef<mlir::Operation*> widening;
  mlir::Type sum;
};

// Appends @symbol_copy, @symbol_group, @symbol_transpose and @symbol_gather for panels of `r` rows: see PackCode.
void emit_pack(mlir::ModuleOp module, const std::string& symbol, const PackedElement& element, int r, int lanes);

}  // namespace tessera::codegen
