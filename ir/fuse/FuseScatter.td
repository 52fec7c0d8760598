#ifndef TESSERA_FUSE_SCATTER
#define TESSERA_FUSE_SCATTER

include "tessera/ir/fuse/FuseDialect.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Fuse_ScatterAddOp : Op<FuseDialect, "scatter_add", [Pure, HasParent<"CascadeOp">,
                                                        AllTypesMatch<["value", "result"]>]> {
  let summary = "a plane value, summed into the entries of a table that an index chooses";
  let description = [{
    The gradient of a table that scores look up: result[e] = Σ value · [index = e] over all points of the dims `over`,
    where e is the index of the dim `of`. The result depends on that dim, and on those of its operands that are not summed.
    An index outside of the dim counts nowhere; who looked up with it reports it.

    Constraint (K10) of `fuse.cascade`: `over` are the row, all stream dims and all batch dims that any sum runs over, which
    are the last; `of` is a rest dim. The value is of the plane, in f32 or f64; neither it nor the index
    has rest dims or depends on a statistic or an accumulation. Together with `over` they name every batch dim. The result is
    yielded once, possibly narrowed.

    A table of 5 biases for each head (m), looked up at the distance of row and column:

    ```mlir
    %r:2 = fuse.cascade "scores" dims [2, 4, 6, 3, 5] batch 1 stream 1
        ins(%q, %k : tensor<2x4x3xf32>, tensor<2x6x3xf32>)
        at [affine_map<(h, m, n, d, e) -> (h * 12 + m * 3 + d)>, affine_map<(h, m, n, d, e) -> (h * 18 + n * 3 + d)>]
        outs at [affine_map<(h, m, n, d, e) -> (h * 4 + m)>, affine_map<(h, m, n, d, e) -> (h * 5 + e)>] {
    ^bb0(%qe: f32, %ke: f32):
      %s = fuse.contract %qe, %ke over [3] : f32 -> f32
      %o = fuse.reduce sum %s over [2] : f32
      %far = fuse.index affine_map<(h, m, n, d, e) -> (m + n)>
      %dt = fuse.scatter_add %s at %far of 4 over [1, 2] : f32
      fuse.yield %o, %dt : f32, f32
    } -> tensor<2x4xf32>, tensor<2x5xf32>
    ```
  }];
  let arguments = (ins AnyType:$value, Index:$entry, I64Attr:$dim, DenseI64ArrayAttr:$over);
  let results = (outs AnyType:$result);
  let assemblyFormat = "$value `at` $entry `of` $dim `over` $over attr-dict `:` type($result)";
}

#endif
