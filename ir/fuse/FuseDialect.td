#ifndef TESSERA_FUSE_DIALECT
#define TESSERA_FUSE_DIALECT

include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def FuseDialect : Dialect {
  let name = "fuse";
  let cppNamespace = "::tessera::fuse";
  let summary = "Kernels over iteration spaces";
  let description = [{
    One `fuse.kernel` is one kernel: an iteration space, an affine access for every operand, and a body of scalar
    code that says what happens at each point. Nothing here says how the space is tiled or on which machine it runs.

    **How to read a body.** Every SSA value stands for a scalar *at each point of the dims that it depends on*. A block
    argument depends on the dims its access map mentions; an elementwise op on the union of its operands' dims;
    `fuse.reduce` and `fuse.contract` remove the dims they run over. So softmax over rows is

    ```mlir
    %y = fuse.kernel "softmax" dims [4096, 256] outer 1
        ins(%x : tensor<4096x256xf32>) at [affine_map<(d0, d1) -> (d0 * 256 + d1)>]
        outs at [affine_map<(d0, d1) -> (d0 * 256 + d1)>] {
    ^bb0(%v: f32):
      %m = fuse.reduce max %v over [1] : f32      // depends on d0
      %d = arith.subf %v, %m : f32                // depends on d0, d1
      %e = math.exp %d : f32
      %s = fuse.reduce sum %e over [1] : f32
      %p = arith.divf %e, %s : f32
      fuse.yield %p : f32
    } -> tensor<4096x256xf32>
    ```

    Access maps give one result: the *element offset* into the operand's dense row-major storage. A transposed, sliced,
    broadcast, reversed or windowed operand is the same storage with another map, so views cost nothing.

    Bodies compute in f32 for f16, bf16 and f8 storage (block arguments have the storage type, `arith.extf` widens,
    `arith.truncf` before `fuse.yield` narrows); unsigned integers are signless in bodies; bool is i1, one byte in memory.
  }];
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
}

def Fuse_ReduceKind : I64EnumAttr<"ReduceKind", "how a reduction combines", [
    I64EnumAttrCase<"sum", 0>, I64EnumAttrCase<"max", 1>, I64EnumAttrCase<"min", 2>, I64EnumAttrCase<"prod", 3>]> {
  let cppNamespace = "::tessera::fuse";
  let genSpecializedAttr = 0;
}
def Fuse_ReduceKindAttr : EnumAttr<FuseDialect, Fuse_ReduceKind, "reduce_kind"> { let assemblyFormat = "$value"; }

#endif
