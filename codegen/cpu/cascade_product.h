#pragma once
// The micro-kernel of a cascade: a strip of rows times one packed panel, into rows of any distance.

#include <string>

#include "mlir/IR/BuiltinOps.h"

#include <tessera/codegen/cpu/contract_tile.h>

namespace tessera::codegen {

// Appends @symbol_panel, which reads A from a packed panel, and @symbol_rows, which reads it row by row: see
// CascadeProductCode.
void emit_cascade_product(mlir::ModuleOp module, const std::string& symbol, mlir::Type sum, RegisterTile tile);

}  // namespace tessera::codegen
