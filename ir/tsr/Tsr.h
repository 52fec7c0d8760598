#pragma once
// The tsr dialect in C++; what its ops mean stands in TsrOps.td.

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace tessera::tsr {

mlir::Type bool_like(mlir::Type tensor);  // the same shape, of i1
mlir::RankedTensorType type_of(mlir::Value tensor);
llvm::ArrayRef<int64_t> shape_of(mlir::Value tensor);
mlir::Type element_of(mlir::Value tensor);

}  // namespace tessera::tsr

#include <tessera/ir/tsr/TsrDialect.h.inc>
#include <tessera/ir/tsr/TsrInterfaces.h.inc>
#define GET_OP_CLASSES
#include <tessera/ir/tsr/TsrOps.h.inc>
