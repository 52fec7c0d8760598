#ifndef TESSERA_TILE_OPS
#define TESSERA_TILE_OPS

include "tessera/codegen/cuda/tile/TileDialect.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Tile_Op<string mnemonic, list<Trait> traits = []> : Op<TileDialect, mnemonic, traits>;

// ---- the kernel, what it shares, its roles ----

def Tile_KernelOp : Tile_Op<"kernel", [IsolatedFromAbove, NoTerminator, SingleBlock]> {
  let summary = "one kernel: arguments, shared memory, roles";
  let description = [{
    `about` are the lines of the comment at the head of the text. `tensors` says of each map, in their order, what the
    launch makes it of: the parameter's number, the first element, then extents and strides, innermost first; where a window
    moves over the tensor, for each dim of the picture its lower corner, then the upper corners, then the steps. First come
    shared buffers, channels and scalars that all roles read, then the roles: one that writes the channels, then one that
    reads them.

    `early`: it begins while the launch before ends, and waits for that before its roles begin.

    Constraints: (T1) shared memory fits 227 KiB. (T2) the registers of all roles fit the 65536 of a multiprocessor, and
    each role's count is a multiple of 8 from 24 to 256. (T3) only roles put, get, load, multiply or store.
  }];
  let arguments = (ins StrAttr:$name, I64Attr:$cluster, StrArrayAttr:$about, OptionalAttr<ArrayAttr>:$tensors,
                       UnitAttr:$early);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $name `cluster` $cluster (`early` $early^)? `about` $about (`tensors` $tensors^)? attr-dict-with-keyword $body
  }];
  let hasVerifier = 1;
}

def Tile_SharedOp : Tile_Op<"shared"> {
  let summary = "a tile in shared memory, or an array of them";
  let arguments = (ins StrAttr:$name);
  let results = (outs Tile_Smem:$result);
  let assemblyFormat = "$name attr-dict `:` type($result)";
}

def Tile_ColumnValuesOp : Tile_Op<"column_values"> {
  let summary = "room for values of a tile's columns, once for each warpgroup of a role";
  let arguments = (ins StrAttr:$name);
  let results = (outs Tile_Values:$result);
  let assemblyFormat = "$name attr-dict `:` type($result)";
}

def Tile_HalvesOp : Tile_Op<"halves"> {
  let summary = "room for the sums that the other block of a pair sends";
  let arguments = (ins StrAttr:$name);
  let results = (outs Tile_Halves:$result);
  let assemblyFormat = "$name attr-dict `:` type($result)";
}

def Tile_ArrivalsOp : Tile_Op<"arrivals"> {
  let summary = "tells warpgroups of a role what has come of what they asked for: see `bring_beside`";
  let arguments = (ins StrAttr:$name);
  let results = (outs Tile_Arrivals:$result);
  let assemblyFormat = "$name attr-dict `:` type($result)";
}

def Tile_ChannelOp : Tile_Op<"channel"> {
  let summary = "`depth` buffers that one role fills in turn; each is read by `readers` warpgroups of another";
  let arguments = (ins StrAttr:$name, I64Attr:$depth, I64Attr:$readers);
  let results = (outs Tile_Channel:$result);
  let assemblyFormat = "$name `depth` $depth `readers` $readers attr-dict";
}

def Tile_RoleOp : Tile_Op<"role", [NoTerminator, SingleBlock]> {
  let summary = "what some warpgroups do: one thread that issues copies, or whole warpgroups that compute";
  let description = "The block argument is the warpgroup's index in its role.";
  let arguments = (ins StrAttr:$name, I64Attr:$warpgroups, I64Attr:$registers, UnitAttr:$one_thread);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $name `warpgroups` $warpgroups `registers` $registers (`one_thread` $one_thread^)? attr-dict-with-keyword $body
  }];
}

def Tile_ClusterRankOp : Tile_Op<"cluster_rank", [Pure]> {
  let results = (outs I32:$result);
  let assemblyFormat = "attr-dict";
}

def Tile_ClusterIndexOp : Tile_Op<"cluster_index", [Pure]> {
  let summary = "the number of this block's cluster, or of the block where it is alone, among so many of the launch";
  let description = "For kernels whose blocks or clusters have one tile each: the launch must be of `of` clusters.";
  let arguments = (ins ConfinedAttr<I64Attr, [IntPositive]>:$of);
  let results = (outs I32:$result);
  let assemblyFormat = "`of` $of attr-dict";
}

// ---- tiles of a persistent kernel ----

def Tile_RasterOp : Tile_Op<"raster", [Pure]> {
  let summary = "a grid of tiles, `group` rows of it at a time, down first; in so many planes";
  let arguments = (ins I32:$rows, I32:$columns, I64Attr:$group, Optional<I32>:$planes);
  let results = (outs Tile_Order:$result);
  let assemblyFormat = "$rows `,` $columns `group` $group (`planes` $planes^)? attr-dict";
}

def Tile_LongestFirstOp : Tile_Op<"longest_first", [Pure]> {
  let summary = "rows of tiles in planes: the last row of all planes of a section first";
  let arguments = (ins I32:$rows, I32:$planes, I32:$section);
  let results = (outs Tile_Order:$result);
  let assemblyFormat = "$rows `,` $planes `section` $section attr-dict";
}

def Tile_ForTilesOp : Tile_Op<"for_tiles", [NoTerminator, SingleBlock, AttrSizedOperandSegments]> {
  let summary = "this block's tiles: every so manieth, or those that it draws from a counter";
  let description = [{
    Block arguments: row and column of the tile, and its plane where the order has several. `turn` i `of` n: of the
    block's tiles every n-th, from the i-th on.
  }];
  let arguments = (ins Tile_Order:$order, Optional<Tile_Pointer>:$counter, Optional<I32>:$turn,
                       DefaultValuedAttr<I64Attr, "1">:$of);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $order (`drawn` `from` $counter^ `:` type($counter))? (`turn` $turn^ `of` $of)? attr-dict-with-keyword $body
  }];
}

// ---- channels ----

def Tile_PutOp : Tile_Op<"put"> {
  let summary = "waits for a free buffer, and says what will be loaded into it";
  let description = "Constraint: (T4) the loads into this slot bring exactly these tiles.";
  let arguments = (ins Tile_Channel:$channel, Variadic<Tile_Smem>:$tiles);
  let results = (outs Tile_Slot:$slot);
  let assemblyFormat = "$channel `of` $tiles `:` type($tiles) attr-dict";
  let hasVerifier = 1;
}

def Tile_GetOp : Tile_Op<"get"> {
  let summary = "waits for the next full buffer";
  let arguments = (ins Tile_Channel:$channel);
  let results = (outs Tile_Slot:$slot);
  let assemblyFormat = "$channel attr-dict";
}

def Tile_ReleaseOp : Tile_Op<"release"> {
  let summary = "frees the oldest buffer that this warpgroup holds; the products that read it are complete";
  let arguments = (ins Tile_Channel:$channel);
  let assemblyFormat = "$channel attr-dict";
}

def Tile_SkipOp : Tile_Op<"skip"> {
  let summary = "goes past `count` buffers, which another warpgroup of the role reads; none is held";
  let arguments = (ins Tile_Channel:$channel, I32:$count);
  let assemblyFormat = "$channel `count` $count attr-dict";
}

def Tile_DrainOp : Tile_Op<"drain"> {
  let summary = "waits until all buffers are read, in all blocks of the cluster where boxes land in all";
  let arguments = (ins Tile_Channel:$channel);
  let assemblyFormat = "$channel attr-dict";
}

// ---- tiles in shared memory ----

def Tile_AtOp : Tile_Op<"at", [Pure]> {
  let summary = "one tile of an array: that of a slot, or that a number picks, as one of a warpgroup's";
  let description = [{
    What lies in a channel's array, and is picked by a number, stays until it is loaded anew: buffers handed over meanwhile
    go by.
    Constraint: the protocol's (R11).
  }];
  let arguments = (ins Tile_Smem:$array, AnyTypeOf<[Tile_Slot, I32]>:$index);
  let results = (outs Tile_Smem:$result);
  let assemblyFormat = "$array `[` $index `:` type($index) `]` attr-dict `:` type($array) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_RowsOp : Tile_Op<"rows", [Pure]> {
  let summary = "some rows of a tile";
  let arguments = (ins Tile_Smem:$tile, I32:$first);
  let results = (outs Tile_Smem:$result);
  let assemblyFormat = "$tile `from` $first attr-dict `:` type($tile) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_ColumnsOp : Tile_Op<"columns", [Pure]> {
  let summary = "some column blocks of a tile, the last not whole perhaps";
  let arguments = (ins Tile_Smem:$tile, I32:$first);
  let results = (outs Tile_Smem:$result);
  let assemblyFormat = "$tile `from` $first attr-dict `:` type($tile) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_LoadOp : Tile_Op<"load", [AttrSizedOperandSegments]> {
  let summary = "a box of a tensor into a tile; `to_all`: into the same place of every block of the cluster";
  let description = [{
    Coordinates are innermost first. With a `window`, rows of the tile are pixels of a picture from `at` on, which go on in
    the next line and the next picture, and each is read so far from where it is: a tap of the window. Outside are zeros.
    Lines of a box of more than two dims lie below each other, those of the inner dims first.
    Constraint: (T5) the tile is the map's box, in column blocks of 64, of which a window brings one, and there is a
    coordinate for each dim and an offset for each dim of the picture: all but the first and the last.
  }];
  let arguments = (ins Tile_Smem:$tile, Tile_Map:$map, Tile_Slot:$slot, Variadic<I32>:$at, Variadic<I32>:$window,
                       UnitAttr:$to_all);
  let assemblyFormat = [{
    $tile `from` $map `[` $at `]` (`window` `[` $window^ `]`)? `slot` $slot (`to_all` $to_all^)? attr-dict
    `:` type($tile) `,` type($map)
  }];
  let hasVerifier = 1;
}

def Tile_StoreOp : Tile_Op<"store"> {
  let summary = "a rounded fragment through a tile in shared memory to a box of a tensor";
  let arguments = (ins Tile_Complete:$value, Tile_Smem:$staging, Tile_Map:$map, Variadic<I32>:$at);
  let assemblyFormat = [{
    $value `through` $staging `to` $map `[` $at `]` attr-dict `:` type($value) `,` type($staging) `,` type($map)
  }];
  let hasVerifier = 1;
}

def Tile_StoreRowOp : Tile_Op<"store_row"> {
  let summary = "the first `count` values of a row to consecutive places";
  let arguments = (ins Tile_Row:$value, Tile_Pointer:$to, I32:$offset, I32:$count);
  let assemblyFormat = "$value `to` $to `[` $offset `]` `count` $count attr-dict `:` type($to)";
}

def Tile_WaitStoresOp : Tile_Op<"wait_stores"> {
  let summary = "until this role's stores have left shared memory";
  let assemblyFormat = "attr-dict";
}

// ---- products ----

def Tile_EmptyOp : Tile_Op<"empty", [Pure]> {
  let summary = "a fragment that the first product fills";
  let results = (outs Tile_Fragment:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
}

def Tile_FillOp : Tile_Op<"fill", [Pure]> {
  let summary = "a fragment of one value";
  let arguments = (ins F32:$value);
  let results = (outs Tile_Complete:$result);
  let assemblyFormat = "$value attr-dict `:` type($result)";
}

def Tile_MmaOp : Tile_Op<"mma"> {
  let summary = "acc (+)= a b, or a b transposed; the result is pending";
  let description = [{
    `a` is a tile or a rounded fragment; `a_transposed`: [k, m], else [m, k]. `b_transposed`: b is [n, k], else [k, n].
    Where `add` is false the old accumulator counts as zero. Constraint: (T6) the extents fit, operands are bf16, or f16
    in shared memory, the accumulator is f32.
  }];
  let arguments = (ins Tile_Fragment:$acc, AnyTypeOf<[Tile_Smem, Tile_Complete]>:$a, Tile_Smem:$b, I1:$add,
                       UnitAttr:$a_transposed, UnitAttr:$b_transposed);
  let results = (outs Tile_Fragment:$result);
  let assemblyFormat = [{
    $acc `,` (`transposed_a` $a_transposed^)? $a `,` $b (`transposed` $b_transposed^)? `add` $add attr-dict
    `:` type($acc) `,` type($a) `,` type($b) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Tile_WaitMmaOp : Tile_Op<"wait_mma"> {
  let summary = "until at most `pending` products run; those given are complete then";
  let arguments = (ins I64Attr:$pending, Optional<Tile_Fragment>:$value);
  let results = (outs Optional<Tile_Fragment>:$result);
  let assemblyFormat = "$pending ($value^ `:` type($value) `->` type($result))? attr-dict";
  let hasVerifier = 1;
}

def Tile_AddHalvesOp : Tile_Op<"add_halves"> {
  let summary = "sums over a part of K and those of the same warpgroup of the other block, added in the order of blocks";
  let description = [{
    Each block sends what it has of the columns that the other keeps: the first of a pair keeps the first half of them. A
    room is sent to once in the life of a kernel, so nobody has to say that what lay there was read.
    Constraint: (T7) a pair of blocks, the kernel's one room, for half of the columns, and no boxes that land in both blocks: so
    this alone waits until the other block has begun.
  }];
  let arguments = (ins Tile_Halves:$room, Tile_Complete:$value);
  let results = (outs Tile_Complete:$result);
  let assemblyFormat = "$room `and` $value attr-dict `:` type($room) `,` type($value) `->` type($result)";
  let hasVerifier = 1;
}

// ---- values ----

def Tile_MapOp : Tile_Op<"map_each", [SingleBlock, AllTypesMatch<["value", "result"]>]> {
  let summary = "every value of a fragment changed by a scalar body";
  let description = "Block arguments: the value, its row, its column, and what each of `rows` holds for its row.";
  let arguments = (ins Tile_Complete:$value, Variadic<Tile_Row>:$rows);
  let results = (outs Tile_Complete:$result);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$value `,` `rows` `(` $rows `)` attr-dict-with-keyword `:` type($result) $body";
}

def Tile_RowwiseOp : Tile_Op<"rowwise", [SingleBlock]> {
  let summary = "a row computed from others by a scalar body";
  let arguments = (ins Variadic<Tile_Row>:$rows);
  let results = (outs Tile_Row:$result);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "`(` $rows `)` attr-dict-with-keyword $body";
}

def Tile_YieldOp : Tile_Op<"yield", [Pure, Terminator, ReturnLike]> {
  let arguments = (ins AnyType:$value);
  let assemblyFormat = "$value attr-dict `:` type($value)";
}

def Tile_RowMaxOp : Tile_Op<"row_max"> {
  let arguments = (ins Tile_Complete:$value);
  let results = (outs Tile_Row:$result);
  let assemblyFormat = "$value attr-dict `:` type($value)";
}

def Tile_LaneSumOp : Tile_Op<"lane_sum"> {
  let summary = "the part of each row's sum that a lane holds; tile.sum_of_lanes makes it whole";
  let arguments = (ins Tile_Complete:$value);
  let results = (outs Tile_Row:$result);
  let assemblyFormat = "$value attr-dict `:` type($value)";
}

def Tile_SumOfLanesOp : Tile_Op<"sum_of_lanes"> {
  let arguments = (ins Tile_Row:$value);
  let results = (outs Tile_Row:$result);
  let assemblyFormat = "$value attr-dict";
}

def Tile_FiniteOrZeroOp : Tile_Op<"finite_or_zero"> {
  let summary = "0 where a row is -infinity: a maximum over nothing, from which -infinity is subtracted";
  let arguments = (ins Tile_Row:$value);
  let results = (outs Tile_Row:$result);
  let assemblyFormat = "$value attr-dict";
}

def Tile_ReciprocalOrZeroOp : Tile_Op<"reciprocal_or_zero"> {
  let summary = "1 / x, and 0 for 0";
  let arguments = (ins Tile_Row:$value);
  let results = (outs Tile_Row:$result);
  let assemblyFormat = "$value attr-dict";
}

def Tile_AddOp : Tile_Op<"add", [AllTypesMatch<["value", "more", "result"]>]> {
  let summary = "every value and the one in its place; the first is changed";
  let arguments = (ins Tile_Complete:$value, Tile_Complete:$more);
  let results = (outs Tile_Complete:$result);
  let assemblyFormat = "$value `,` $more attr-dict `:` type($result)";
}

def Tile_ScaleRowsOp : Tile_Op<"scale_rows", [AllTypesMatch<["value", "result"]>]> {
  let summary = "every value times what the row holds for it";
  let arguments = (ins Tile_Complete:$value, Tile_Row:$by);
  let results = (outs Tile_Complete:$result);
  let assemblyFormat = "$value `by` $by attr-dict `:` type($result)";
}

def Tile_RoundOp : Tile_Op<"round", [Pure]> {
  let summary = "rounded to bf16";
  let arguments = (ins Tile_Complete:$value);
  let results = (outs Tile_Complete:$result);
  let assemblyFormat = "$value attr-dict `:` type($value) `->` type($result)";
}

def Tile_BringColumnsOp : Tile_Op<"bring_columns"> {
  let summary = "this warpgroup, number `index`, brings the values of its tile's columns for its next `finish`";
  let description = "From element `base` of the tensor on; column `first` is the tile's first of `extent`. See `finish` for `dealt`.";
  let arguments = (ins Tile_Values:$room, I32:$index, Tile_Pointer:$from, I32:$first, I64Attr:$base, I64Attr:$extent,
                       UnitAttr:$dealt);
  let results = (outs Tile_Values:$result);
  let assemblyFormat = [{
    $room `[` $index `]` `from` $from `+` $base `[` $first `]` `of` $extent (`dealt` $dealt^)? attr-dict
    `:` type($room) `,` type($from) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Tile_BesideOp : Tile_Op<"beside"> {
  let summary = "the end that warpgroup `index` has of what is brought beside its sums: `inputs` of `tiles` of a round";
  let arguments = (ins Tile_Arrivals:$room, I32:$index, I64Attr:$inputs, I64Attr:$tiles);
  let results = (outs Tile_Beside:$result);
  let assemblyFormat = "$room `[` $index `]` `inputs` $inputs `of` $tiles attr-dict `:` type($room)";
}

def Tile_BringBesideOp : Tile_Op<"bring_beside", [AttrSizedOperandSegments]> {
  let summary = "this warpgroup asks for what stands beside the sums of its tile, for its next `finish`";
  let description = [{
    Boxes of 64 x 64 of each map, to the tiles at `staging`, from `first` on, through which results leave: one round after the
    other, as many as there are buffers, the others when the results before have left. They start at `at`, innermost
    first. The sums are `fragments` of `columns`.
  }];
  let arguments = (ins Tile_Beside:$beside, Tile_Smem:$staging, I32:$first, Variadic<Tile_Map>:$maps,
                       Variadic<I32>:$at, I64Attr:$columns, I64Attr:$fragments);
  let results = (outs Tile_Brought:$result);
  let assemblyFormat = [{
    $beside `to` $staging `:` type($staging) `[` $first `]` `from` $maps `:` type($maps) `at` `[` $at `]`
    `fragments` $fragments `of` $columns attr-dict
  }];
  let hasVerifier = 1;
}

def Tile_FinishOp : Tile_Op<"finish", [AttrSizedOperandSegments]> {
  let summary = "what the body of a kernel of points makes of the sums in fragments that lie below each other";
  let description = [{
    `text` are the statements for a few neighbours of a row, as rows/ prints them; they see the sums as `sum`, and where
    they are as `row` and `column`.

    Two neighbours, in registers: results with a map are packed by the statements and leave through tiles of 64 x 64 at
    `staging`, from tile `first` on: `at_once` of each, for `buffers` rounds in turn. Their boxes start at `at`, innermost
    first, to which column and row are added. Beside them the statements see values of columns: of `columns` number i by
    the name that is `names` i, four pairs of neighbours of which `pair` is theirs.

    `beside`: what was brought to the tiles of a round is taken out of them before results go there, and the statements see
    two neighbours of each in `brought`.

    Four neighbours, where `staging` is f32: sums go through tile `first` of it.

    w, eight or four, in registers, where `dealt w`: column 8 j + 2 q + c of each 4 w of the sums is column w q + 2 j + c of the tile, as rows
    of the right operand were brought. The statements store all results, and see `columns` by their `names`.
  }];
  let arguments = (ins Variadic<Tile_Complete>:$values, Optional<Tile_Smem>:$staging, Optional<I32>:$first,
                       Variadic<Tile_Map>:$maps, Variadic<Tile_Values>:$columns, Optional<Tile_Brought>:$beside,
                       Variadic<I32>:$at, I64Attr:$at_once,
                       I64Attr:$buffers, StrArrayAttr:$names, StrArrayAttr:$text, OptionalAttr<I64Attr>:$dealt);
  let assemblyFormat = [{
    $values (`through` $staging^ `:` type($staging) `[` $first `]`)? (`to` $maps^ `:` type($maps))?
    (`with` $columns^ `:` type($columns) `named` $names)? (`beside` $beside^)? `at` `[` $at `]`
    `at_once` $at_once `buffers` $buffers (`dealt` $dealt^)? `text` $text attr-dict `:` type($values)
  }];
  let extraClassDeclaration = [{
    bool goes_through_shared() { return getStaging() && getStaging().getType().getElement().isF32(); }
  }];
  let hasVerifier = 1;
}

// ---- order between warpgroups ----

def Tile_TurnsOp : Tile_Op<"turns"> {
  let summary = "`count` warpgroups that take turns; this one is number `index`";
  let arguments = (ins I32:$index, I64Attr:$count);
  let results = (outs Tile_Turns:$result);
  let assemblyFormat = "$index `of` $count attr-dict";
}

def Tile_TurnWaitOp : Tile_Op<"turn_wait"> {
  let arguments = (ins Tile_Turns:$turns);
  let assemblyFormat = "$turns attr-dict";
}

def Tile_TurnPassOp : Tile_Op<"turn_pass"> {
  let arguments = (ins Tile_Turns:$turns);
  let assemblyFormat = "$turns attr-dict";
}

#endif
