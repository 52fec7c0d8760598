#pragma once
// Where an op comes from. import_program marks each op with the number of its instruction in the Program, passes carry
// locations along, and so whoever holds the Program knows every line and module path behind a kernel. Numbers and not
// lines, because equal programs of other lines share what is compiled.

#include <vector>

#include "mlir/IR/Location.h"

namespace tessera::ir {

mlir::Location with_origin(mlir::Location place, int instruction);

// Adds the instructions named in `location` to `out`, each once.
void add_origins(mlir::Location location, std::vector<int>& out);

}  // namespace tessera::ir
