#ifndef TESSERA_TSR_DIALECT
#define TESSERA_TSR_DIALECT

include "mlir/IR/OpBase.td"

def TsrDialect : Dialect {
  let name = "tsr";
  let cppNamespace = "::tessera::tsr";
  let summary = "Values: the recorded program as it was written";
  let description = [{
    One op per op of `core/op_table.h`, under the same name and with the same attributes, on builtin ranked tensors of
    static shape. Nothing is implicit: operands have one dtype and one shape, broadcasts and casts are ops. `i1` is
    bool, `ui32` and `ui8` are the unsigned integers; f8 types only store. Every op is pure.

    ```mlir
    func.func @program(%x: tensor<4x8xf32>, %b: tensor<8xf32>) -> tensor<4xf32> {
      %0 = tsr.broadcast %b dims [1] : (tensor<8xf32>) -> tensor<4x8xf32>
      %1 = tsr.add %x, %0 : tensor<4x8xf32>
      %2 = tsr.reduce "sum" %1 dims [1] : (tensor<4x8xf32>) -> tensor<4xf32>
      return %2 : tensor<4xf32>
    }
    ```
  }];
}

#endif
