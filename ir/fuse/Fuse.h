#pragma once
// The fuse dialect in C++; what its ops mean stands in FuseDialect.td and FuseOps.td.

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace tessera::fuse {

// An element as a body sees it: unsigned integers are signless there.
mlir::Type body_type(mlir::Type element);
// True for the map `() -> ()`: the input is addressed by fuse.load_at only.
bool is_whole_tensor(mlir::AffineMap map);

}  // namespace tessera::fuse

#include <tessera/ir/fuse/FuseDialect.h.inc>
#include <tessera/ir/fuse/FuseEnums.h.inc>
#define GET_ATTRDEF_CLASSES
#include <tessera/ir/fuse/FuseAttrs.h.inc>
#define GET_OP_CLASSES
#include <tessera/ir/fuse/FuseOps.h.inc>

namespace tessera::fuse {

// (K2) to (K8) of a cascade.
mlir::LogicalResult verify_cascade_body(CascadeOp cascade);

}  // namespace tessera::fuse
