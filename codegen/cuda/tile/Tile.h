#pragma once
// The tile dialect in C++; what its ops mean stands in TileDialect.td and TileOps.td.

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <tessera/codegen/cuda/tile/TileDialect.h.inc>
#define GET_TYPEDEF_CLASSES
#include <tessera/codegen/cuda/tile/TileTypes.h.inc>
#define GET_OP_CLASSES
#include <tessera/codegen/cuda/tile/TileOps.h.inc>

namespace tessera::tile {

// Of a tile or an array of tiles: the last two extents.
inline int64_t rows(SmemType type) { return type.getShape()[type.getShape().size() - 2]; }
inline int64_t columns(SmemType type) { return type.getShape().back(); }
// Of an element where it lies: tf32 is f32 whose last bits nobody sees, and takes as many bytes.
int64_t element_bytes(mlir::Type type);
inline int64_t line(mlir::Type element) { return 128 / element_bytes(element); }  // elements of one, with the swizzle
int64_t lines(MapType type);   // of the box, along all of its dims but the innermost
int64_t bytes(SmemType type);  // of the whole array
int64_t tile_bytes(SmemType type);
int64_t bytes(ValuesType type);
int64_t bytes(HalvesType type);
int64_t bytes(ArrivalsType type);

// Is a tile picked by a number, not by a slot? Of a channel's array, it then stays until it is loaded anew.
bool is_picked(AtOp tile);

// Do copies of one block of a cluster land in the channel's buffers of all of them? Then a buffer is free when all have read it.
bool lands_in_all_blocks(ChannelOp channel);

}  // namespace tessera::tile
