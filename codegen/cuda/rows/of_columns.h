#pragma once
// What a walk over rows would compute again in each of them, where nothing but sums over all rows is wanted.

#include "llvm/ADT/SetVector.h"

#include <tessera/codegen/cpu/form.h>
#include <tessera/codegen/cpu/stages.h>

namespace tessera::cuda {

// The last values on the way from inputs to what a row ends in that differ between its elements, and not between rows.
llvm::SetVector<mlir::Value> values_of_columns(const codegen::Form& form, const codegen::Stages& stages);

}  // namespace tessera::cuda
