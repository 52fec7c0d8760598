#pragma once

#include "mlir/IR/Operation.h"

namespace tessera::ir {

// Is one computed value the same as another? That is no longer known once each is computed again where it is read, in
// kernels that round apart: a maximum would be found nowhere. No less than a maximum is only that itself, so any order
// between the two asks the same.
bool tests_equality(mlir::Operation* op);

}  // namespace tessera::ir
