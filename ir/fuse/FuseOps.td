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
    A kernel with a `fuse.contract` has no `fuse.reduce`, and its contract's operands are block arguments, possibly widened.

    Constraints: (C1) as many in_maps as inputs, out_maps as results, block arguments as inputs. (C2) map arity is the
    number of dims. (C3) reductions name inner dims, or all outer dims and any inner ones. (C4) a column reduction is
    only yielded. (C5) at most one contract, and then no reduce.

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

def Fuse_YieldOp : Fuse_Op<"yield", [Pure, Terminator, ParentOneOf<["KernelOp"]>]> {
  let summary = "the values that a kernel writes, one per result";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
  let builders = [OpBuilder<(ins), "">];
}

def Fuse_ReduceOp : Fuse_Op<"reduce", [Pure, AllTypesMatch<["value", "result"]>, HasParent<"KernelOp">]> {
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

def Fuse_ContractOp : Fuse_Op<"contract", [Pure, AllTypesMatch<["lhs", "rhs"]>, HasParent<"KernelOp">]> {
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

def Fuse_IndexOp : Fuse_Op<"index", [Pure, HasParent<"KernelOp">]> {
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

def Fuse_LoadAtOp : Fuse_Op<"load_at", [Pure, HasParent<"KernelOp">,
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

def Fuse_RandomOp : Fuse_Op<"random", [Pure, HasParent<"KernelOp">]> {
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
    `argsort`, `argmax`, `argmin`, `scan` and `scatter`, with the attributes of the core op of that name.

    ```mlir
    %p = fuse.library "argsort"(%x) {dim = 1 : i64, descending = false} : (tensor<4x8xf32>) -> tensor<4x8xi64>
    ```
  }];
  let arguments = (ins StrAttr:$name, Variadic<AnyRankedTensor>:$inputs);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$name `(` $inputs `)` attr-dict `:` functional-type($inputs, $result)";
}

#endif
