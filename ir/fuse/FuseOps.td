#ifndef TESSERA_FUSE_OPS
#define TESSERA_FUSE_OPS

include "tessera/ir/fuse/FuseDialect.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Fuse_Op<string mnemonic, list<Trait> traits = []> : Op<FuseDialect, mnemonic, traits>;

def Fuse_KernelOp : Fuse_Op<"kernel", [Pure, AttrSizedOperandSegments, IsolatedFromAbove,
                                       SingleBlockImplicitTerminator<"YieldOp">]> {
  let summary = "one kernel: an iteration space and what happens at each point";
  let description = [{
    `dims` are the extents of the iteration space. The first `outer` of them are *outer*: the points that share all outer
    indices form one row, whose intermediate values may stay on chip.

    `ins`: one access map per input, from all dims to one element offset. The map `() -> ()` marks an input that is
    addressed by `fuse.load_at` only; its block argument has the tensor type. Every other block argument is a scalar
    of the input's element type.

    `outs`: one map per yielded value, from all dims to an element offset in the result; it mentions only dims that the
    value depends on and is injective on them. Result k equals the init that `of` gives it (−1: none, then the map
    covers the result) with the addressed elements replaced. A body may read the init through an input too, at exactly
    the element it writes.

    Reductions come in two shapes, and these alone:
      - *row*: over inner dims; the result may be used by anything that follows;
      - *column*: over all outer dims and any inner dims; the result may only be yielded.
    A contract's operands are block arguments, possibly widened. Beside it, a `fuse.reduce` is an *operand sum* (C5).

    Constraints: (C1) as many in_maps as inputs, out_maps as results, block arguments as inputs. (C2) map arity is the
    number of dims. (C3) reductions name inner dims, or all outer dims and any inner ones. (C4) a column reduction is
    only yielded. (C5) at most one contract; each reduce beside it sums one operand over its dims and is yielded last.

    ```mlir
    %y = fuse.kernel "scale" dims [6] outer 1 ins(%x : tensor<2x3xf32>) at [affine_map<(d0) -> (d0)>]
        outs at [affine_map<(d0) -> (d0)>] {
    ^bb0(%v: f32):
      %c = arith.constant 2.0 : f32
      %p = arith.mulf %v, %c : f32
      fuse.yield %p : f32
    } -> tensor<2x3xf32>
    ```
  }];
  let arguments = (ins StrAttr:$name, DenseI64ArrayAttr:$dims, I64Attr:$outer,
                       Variadic<AnyRankedTensor>:$inputs, AffineMapArrayAttr:$in_maps,
                       Variadic<AnyRankedTensor>:$inits, OptionalAttr<DenseI64ArrayAttr>:$init_of,
                       AffineMapArrayAttr:$out_maps);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $name `dims` $dims `outer` $outer
    `ins` `(` ($inputs^ `:` type($inputs))? `)` `at` $in_maps
    (`inits` `(` $inits^ `:` type($inits) `)` `of` $init_of)?
    `outs` `at` $out_maps attr-dict-with-keyword $body `->` type($results)
  }];
  let hasVerifier = 1;
}

def Fuse_CascadeOp : Fuse_Op<"cascade", [Pure, AttrSizedOperandSegments, IsolatedFromAbove,
                                         SingleBlockImplicitTerminator<"YieldOp">]> {
  let summary = "one kernel over a score plane that never lies in memory";
  let description = [{
    A *plane* is what a contraction makes of two long dims: scores of queries against keys, logits of tokens against a
    vocabulary. A cascade computes a block of its rows from end to end while it *streams* over the columns, and what
    depends on a row and a column exists for one block at a time.

    `dims` are, in this order: `batch` batch dims, one *row* dim, `stream` *stream* dims, and the rest: dims that a
    contraction sums (*depth*) or that an accumulated result has beside the row (*columns*). Inputs, access maps, block
    arguments, results and the body read as in `fuse.kernel`, and the body says what is computed *by definition*: every
    statistic is that of the whole row.

    A value is *of memory* if it is a block argument or is computed from some, and from indices, by arith and math alone:
    a rotation of queries by their position, say. Each task computes it again.

    A value is of the *plane* if it depends on the row and on a stream dim. The ops that change dims:
      - a *score*: `fuse.contract` over rest dims. One operand does not depend on the row, the other on no stream dim;
        the result is of the plane.
      - a *statistic*: `fuse.reduce` of a plane value over all stream dims.
      - an *accumulation*: `fuse.contract` over all stream dims, of a plane value without rest dims and an operand that
        does not depend on the row. The result depends on batch, row and columns.

      - a *sum over batches*: `fuse.reduce sum` of a plane value over the last batch dims, or some of them. The result is
        of the plane, and nothing but the yield reads it. It grows where it lies in memory, batch after batch.

    Statistics of a part of the row are known long before those of the whole row. What was accumulated under an old
    statistic is *repaired* when it moves: `fuse.repair` says how. Each statistic or accumulation whose operand depends on
    statistics has one repair for each of them.

    Softmax attention, with causal mask left out:

    ```mlir
    %o = fuse.cascade "attention" dims [2, 64, 96, 16, 24] batch 1 stream 1
        ins(%q, %k, %v : tensor<2x64x16xf32>, tensor<2x96x16xf32>, tensor<2x96x24xf32>)
        at [affine_map<(b, m, n, d, e) -> (b * 1024 + m * 16 + d)>, affine_map<(b, m, n, d, e) -> (b * 1536 + n * 16 + d)>,
            affine_map<(b, m, n, d, e) -> (b * 2304 + n * 24 + e)>]
        outs at [affine_map<(b, m, n, d, e) -> (b * 1536 + m * 24 + e)>] {
    ^bb0(%qe: f32, %ke: f32, %ve: f32):
      %s = fuse.contract %qe, %ke over [3] : f32 -> f32        // score: depends on b, m, n
      %max = fuse.reduce max %s over [2] : f32                 // statistic: b, m
      %d = arith.subf %s, %max : f32
      %p = math.exp %d : f32
      %sum = fuse.reduce sum %p over [2] : f32
      fuse.repair %sum by %max : f32, f32 {
      ^bb0(%old: f32, %new: f32):
        %step = arith.subf %old, %new : f32
        %factor = math.exp %step : f32
        fuse.yield %factor : f32
      }
      %acc = fuse.contract %p, %ve over [2] : f32 -> f32       // accumulation: b, m, e
      fuse.repair %acc by %max : f32, f32 {
      ^bb0(%old: f32, %new: f32):
        %step = arith.subf %old, %new : f32
        %factor = math.exp %step : f32
        fuse.yield %factor : f32
      }
      %o = arith.divf %acc, %sum : f32
      fuse.yield %o : f32
    } -> tensor<2x64x24xf32>
    ```

    Results may replace elements of `inits`, as those of `fuse.kernel` do. Beside, `of` may be −2 − j: the result goes on
    where result j of the same cascade, which comes before it, ends. So both gradients that one cascade makes become parts
    of one tensor; nothing else reads result j.

    Constraints: (K1) inputs, maps, block arguments, inits and results fit as in (C1) and (C2) of `fuse.kernel`. (K2) `batch` + 1
    + `stream` dims at most, at least one stream dim. (K3) a contraction or reduction runs over all stream dims and nothing
    else, or, for a contraction, over rest dims alone, or over none, or, for a sum, over batch dims, of which those that
    any sum runs over are the last. (K4) the operands of a score are of memory, one
    without the row and one without stream dims. (K5) an accumulation's left operand is of the plane and has no rest
    dims, its right one of memory, without the row. (K6) where a reduction's or an
    accumulation's operand depends on a statistic there is a repair by it. (K7) a yielded value that depends on a stream
    dim depends on no statistic. (K8) What is reduced, accumulated, or yielded for a stream dim depends on no accumulation.
    (K9) A sum over batches is of f32 or f64, and yielded once.
  }];
  let arguments = (ins StrAttr:$name, DenseI64ArrayAttr:$dims, I64Attr:$batch, I64Attr:$stream,
                       Variadic<AnyRankedTensor>:$inputs, AffineMapArrayAttr:$in_maps,
                       Variadic<AnyRankedTensor>:$inits, OptionalAttr<DenseI64ArrayAttr>:$init_of,
                       AffineMapArrayAttr:$out_maps);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $name `dims` $dims `batch` $batch `stream` $stream
    `ins` `(` ($inputs^ `:` type($inputs))? `)` `at` $in_maps
    (`inits` `(` $inits^ `:` type($inits) `)` `of` $init_of)?
    `outs` `at` $out_maps attr-dict-with-keyword $body `->` type($results)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    // Number of the row dim, of the first stream dim, of the first of the rest.
    int64_t row_dim() { return static_cast<int64_t>(getBatch()); }
    int64_t first_stream_dim() { return row_dim() + 1; }
    int64_t first_rest_dim() { return first_stream_dim() + static_cast<int64_t>(getStream()); }
  }];
}

def Fuse_RepairOp : Fuse_Op<"repair", [HasParent<"CascadeOp">, SingleBlockImplicitTerminator<"YieldOp">]> {
  let summary = "what happens to a partial result when a statistic that it was made with moves";
  let description = [{
    `accumulated` is a `fuse.reduce` or `fuse.contract` over the stream, ⊞ its combination (+ for contractions), and g(x, r)
    what it combines, r being `statistic`. The region gives h(old, new) with g(x, new) = g(x, old) ⊙ h(old, new) for every
    x, where ⊙ is the product for sums and the sum for `max` and `min`. A part combined under `old` and then made
    ⊙ h(old, new) is a part combined under `new`; h(r, r) is neutral.

    A statistic over nothing is the neutral element of its own combination (−∞ for `max`). Nothing is accumulated then:
    the region is not asked with old = neutral.
  }];
  let arguments = (ins AnyType:$accumulated, AnyType:$statistic);
  let regions = (region SizedRegion<1>:$factor);
  let assemblyFormat = "$accumulated `by` $statistic attr-dict `:` type($accumulated) `,` type($statistic) $factor";
}

def Fuse_YieldOp : Fuse_Op<"yield", [Pure, Terminator, ParentOneOf<["KernelOp", "CascadeOp", "RepairOp"]>]> {
  let summary = "the values that a kernel writes, one per result";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
  let builders = [OpBuilder<(ins), "">];
}

def Fuse_ReduceOp : Fuse_Op<"reduce", [Pure, AllTypesMatch<["value", "result"]>, ParentOneOf<["KernelOp", "CascadeOp"]>]> {
  let summary = "combine a value over some dims of the kernel";
  let description = [{
    `max` and `min` pass NaN on. The order of a float sum is fixed by the dims alone, never by the number of threads.

    ```mlir
    %s = fuse.reduce sum %v over [1] : f32
    ```
  }];
  let arguments = (ins Fuse_ReduceKindAttr:$kind, AnyType:$value, DenseI64ArrayAttr:$over);
  let results = (outs AnyType:$result);
  let assemblyFormat = "$kind $value `over` $over attr-dict `:` type($result)";
}

def Fuse_ContractOp : Fuse_Op<"contract", [Pure, AllTypesMatch<["lhs", "rhs"]>, ParentOneOf<["KernelOp", "CascadeOp"]>]> {
  let summary = "sum of products over some dims: the one contraction";
  let description = [{
    Equal to a product and a sum `over` the dims, but kept together because the machine has units for it. The result is
    the accumulator: f32 for f32 and narrower floats, f64 for f64, the operand type for integers.

    ```mlir
    %acc = fuse.contract %a, %b over [2] : f32 -> f32
    ```
  }];
  let arguments = (ins AnyType:$lhs, AnyType:$rhs, DenseI64ArrayAttr:$over);
  let results = (outs AnyType:$result);
  let assemblyFormat = "$lhs `,` $rhs `over` $over attr-dict `:` type($lhs) `->` type($result)";
}

def Fuse_IndexOp : Fuse_Op<"index", [Pure, ParentOneOf<["KernelOp", "CascadeOp"]>]> {
  let summary = "an affine function of the point's indices";
  let description = [{
    ```mlir
    %i = fuse.index affine_map<(d0, d1) -> (d0 * 256 + d1)>
    ```
  }];
  let arguments = (ins AffineMapAttr:$map);
  let results = (outs Index:$result);
  let assemblyFormat = "$map attr-dict";
}

def Fuse_LoadAtOp : Fuse_Op<"load_at", [Pure, ParentOneOf<["KernelOp", "CascadeOp"]>,
    TypesMatchWith<"the result is an element of the source", "source", "result",
                   "::tessera::fuse::body_type(::llvm::cast<::mlir::RankedTensorType>($_self).getElementType())">]> {
  let summary = "one element of an input at computed indices";
  let description = [{
    The input's block argument has the tensor type. Indices are per dim of that tensor; one outside is clamped, and
    unless `clamp` is set the run reports it: ValueError with the location of this op.

    ```mlir
    %v = fuse.load_at %table[%i, %j] : tensor<256x64xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$source, Variadic<Index>:$indices, UnitAttr:$clamp);
  let results = (outs AnyType:$result);
  let assemblyFormat = "(`clamp` $clamp^)? $source `[` $indices `]` attr-dict `:` type($source)";
}

def Fuse_RandomOp : Fuse_Op<"random", [Pure, ParentOneOf<["KernelOp", "CascadeOp"]>]> {
  let summary = "one counter-based draw (core/random.h)";
  let description = [{
    `element` is the row-major index in the logical tensor that is drawn. The result is f32 in [0, 1) or, with `bits`,
    the 32 random bits.

    ```mlir
    %u = fuse.random %seed, %step, %element stream 17 : f32
    ```
  }];
  let arguments = (ins I64:$seed, I64:$step, Index:$element, I64Attr:$stream);
  let results = (outs AnyTypeOf<[F32, I32]>:$result);
  let assemblyFormat = "$seed `,` $step `,` $element `stream` $stream attr-dict `:` type($result)";
}

def Fuse_LibraryOp : Fuse_Op<"library", [Pure]> {
  let summary = "a whole-tensor routine that is not a loop over points";
  let description = [{
    `argsort`, `argmax`, `argmin`, `scan`, `scatter` and `dynamic_update_slice`, with the attributes of the core op of
    that name. The last two write into their first operand where nobody needs it afterwards.

    ```mlir
    %p = fuse.library "argsort"(%x) {dim = 1 : i64, descending = false} : (tensor<4x8xf32>) -> tensor<4x8xi64>
    ```
  }];
  let arguments = (ins StrAttr:$name, Variadic<AnyRankedTensor>:$inputs);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$name `(` $inputs `)` attr-dict `:` functional-type($inputs, $result)";
}

#endif
