#ifndef TESSERA_TSR_INTERFACES
#define TESSERA_TSR_INTERFACES

include "mlir/IR/OpBase.td"

def Tsr_ScalarBody : OpInterface<"ScalarBody"> {
  let cppNamespace = "::tessera::tsr";
  let description = [{
    An elementwise op says what it does to one element as arith and math on scalars; it defines nothing else for
    lowering. Operands come in compute types (`compute_type` in Scalar.h): f32 for narrower floats, signless integers.
  }];
  let methods = [InterfaceMethod<
    "Emits the op on one element and returns the result in its compute type.",
    "::mlir::Value", "emitScalar",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$at, "::mlir::ValueRange":$elements)>];
}

#endif
