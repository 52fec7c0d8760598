#pragma once
// Products of one row with what lies in memory as it is, for cascades of few rows. To pack a key into a panel costs more
// than the one dot product that it is used for.

#include <string>

#include "mlir/IR/BuiltinOps.h"

namespace tessera::codegen {

// Appends @symbol_dots and @symbol_sums: see CascadeDotsCode and CascadeRowSumsCode. What lies in memory is of the body
// type `storage` and widened as it is read. `lanes`: of one vector of sums.
void emit_cascade_direct(mlir::ModuleOp module, const std::string& symbol, mlir::Type storage, mlir::Type sum,
                         int lanes);

}  // namespace tessera::codegen
