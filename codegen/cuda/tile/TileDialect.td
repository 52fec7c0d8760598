#ifndef TESSERA_TILE_DIALECT
#define TESSERA_TILE_DIALECT

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/OpBase.td"

def TileDialect : Dialect {
  let name = "tile";
  let cppNamespace = "::tessera::tile";
  let summary = "What one thread block does";
  let description = [{
    One `tile.kernel` is what a block does, op by op on whole tiles: boxes that the copy engine brings, tiles in shared
    memory, fragments in the registers of a warpgroup. Roles are stretches of warps that run beside each other; they meet
    in channels alone. Index arithmetic is `arith` on i32, loops and branches are `scf`.

    Fragments and rows are values. An op that would change one in place in the machine returns the changed one, and the
    old one is not used after it.

    A product runs on while the program goes on: `tile.mma` returns a fragment that is *pending*, and only
    `tile.wait_mma` makes a plain one of it, which other ops take. So no text reads an accumulator too early.

    Names of the printed text are the names in the locations: `loc("m")` of a result or of a block argument. A scalar
    without a name is written where it is used.
  }];
  let useDefaultTypePrinterParser = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::scf::SCFDialect"];
}

class Tile_Type<string name, string keyword> : TypeDef<TileDialect, name> { let mnemonic = keyword; }

class Tile_ShapedType<string name, string keyword> : Tile_Type<name, keyword> {
  let parameters = (ins ArrayRefParameter<"int64_t">:$shape, "::mlir::Type":$element, "int64_t":$extra);
  let hasCustomAssemblyFormat = 1;
}

def Tile_Fragment : Tile_ShapedType<"Fragment", "fragment"> {
  let summary = "64 rows in the registers of a warpgroup: fragment<64x256xf32>, fragment<64x256xf32, pending 1>";
}
def Tile_Complete : Type<And<[Tile_Fragment.predicate,
    CPred<"::llvm::cast<::tessera::tile::FragmentType>($_self).getExtra() == 0">]>,
    "a fragment that no product is still writing", "::tessera::tile::FragmentType">;
def Tile_Smem : Tile_ShapedType<"Smem", "smem"> {
  let summary = "a tile in shared memory, swizzled by 128 bytes, or several: smem<3x128x64xbf16>; a part of a tile says "
                "how many rows lie between its column blocks: smem<64x64xbf16, pitch 128>";
}
def Tile_Values : Tile_ShapedType<"Values", "values"> {
  let summary = "in shared memory, one value for each column of a tile: values<192xbf16>, or of several: values<2x192xf32>";
}
def Tile_Halves : Tile_ShapedType<"Halves", "halves"> {
  let summary = "in shared memory, room for half of the columns of a fragment that another block has: halves<64x32xf32>";
}
def Tile_Arrivals : Tile_ShapedType<"Arrivals", "arrivals"> {
  let summary = "in shared memory, a barrier for each buffer of each warpgroup, for what it asks for itself: arrivals<2x4xi64>";
}
def Tile_Map : Tile_ShapedType<"Map", "map"> {
  let summary = "a tensor in global memory and the box that is copied of it: map<128x64xbf16, rank 2>; of two dims, the "
                "innermost, or of all: map<6x4x4x2x64xbf16, rank 5>";
}
def Tile_Row : Tile_Type<"Row", "row"> { let summary = "one f32 for each of 64 rows"; }
def Tile_Channel : Tile_Type<"Channel", "channel"> { let summary = "hands buffers from one role to another"; }
def Tile_Slot : Tile_Type<"Slot", "slot"> { let summary = "which of a channel's buffers"; }
def Tile_Beside : Tile_Type<"Beside", "beside"> { let summary = "a warpgroup's end of what is brought beside its sums"; }
def Tile_Brought : Tile_Type<"Brought", "brought"> { let summary = "what is brought beside the sums of one tile"; }
def Tile_Order : Tile_Type<"Order", "order"> { let summary = "the order in which blocks take tiles"; }
def Tile_Turns : Tile_Type<"Turns", "turns"> { let summary = "lets warpgroups pass a stretch one after the other"; }
def Tile_Pointer : Tile_Type<"Pointer", "pointer"> {
  let summary = "global memory without a map: pointer<f32>; pointer<f32, read> is only read, and what lies at a "
                "pointer<f32, alias> other parameters may change";
  let parameters = (ins "::mlir::Type":$element, DefaultValuedParameter<"bool", "false">:$read,
                        DefaultValuedParameter<"bool", "false">:$alias);
  let hasCustomAssemblyFormat = 1;
}

#endif
