#pragma once
// What an elementwise op does to one element. TsrOps.td names the entries of this file: each is an arith or math op, or
// a formula with the same `create`. Elements come in compute types.

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Builders.h"

namespace tessera::tsr {

// The type in which a body computes elements of `storage`: f32 for narrower floats, signless integers.
mlir::Type compute_type(mlir::Type storage);
// Between the two: `x` as a body computes it, and as memory keeps it.
mlir::Value widen(mlir::OpBuilder&, mlir::Location, mlir::Value x);
mlir::Value narrow(mlir::OpBuilder&, mlir::Location, mlir::Value x, mlir::Type storage);

// A number of the given compute type.
mlir::Value constant(mlir::OpBuilder&, mlir::Location, mlir::Type type, double value);
mlir::Value constant(mlir::OpBuilder&, mlir::Location, mlir::Type type, int64_t value);

// tsr.cast of one element, from storage type to storage type; `x` and the result are in compute types.
mlir::Value cast(mlir::OpBuilder&, mlir::Location, mlir::Value x, mlir::Type from, mlir::Type to);

namespace scalar {

using mlir::Location;
using mlir::OpBuilder;
using mlir::Value;

// A formula of one or two elements under the interface of an op.
#define TESSERA_FORMULA_1(Name)                         \
  struct Name {                                         \
    static Value create(OpBuilder&, Location, Value x); \
  }
#define TESSERA_FORMULA_2(Name)                                  \
  struct Name {                                                  \
    static Value create(OpBuilder&, Location, Value a, Value b); \
  }
TESSERA_FORMULA_1(Same);
TESSERA_FORMULA_1(NegI);
TESSERA_FORMULA_1(AbsI);
TESSERA_FORMULA_1(Sigmoid);
TESSERA_FORMULA_1(Recip);
TESSERA_FORMULA_1(SignF);
TESSERA_FORMULA_1(SignI);
TESSERA_FORMULA_1(SignU);
TESSERA_FORMULA_1(Not);
TESSERA_FORMULA_1(IsFinite);
TESSERA_FORMULA_1(True);
TESSERA_FORMULA_2(FloorDivF);
TESSERA_FORMULA_2(FloorDivS);
TESSERA_FORMULA_2(FloorDivU);
TESSERA_FORMULA_2(RemF);
#undef TESSERA_FORMULA_1
#undef TESSERA_FORMULA_2

template <class Divide> struct RemI {
  static Value create(OpBuilder& b, Location at, Value x, Value y) {
    Value zero = constant(b, at, x.getType(), int64_t{0});
    Value rest =
        mlir::arith::SubIOp::create(b, at, x, mlir::arith::MulIOp::create(b, at, y, Divide::create(b, at, x, y)));
    Value none = mlir::arith::CmpIOp::create(b, at, mlir::arith::CmpIPredicate::eq, y, zero);
    return mlir::arith::SelectOp::create(b, at, none, zero, rest);
  }
};
template <mlir::arith::CmpFPredicate P> struct CompareF {
  static Value create(OpBuilder& b, Location at, Value x, Value y) {
    return mlir::arith::CmpFOp::create(b, at, P, x, y);
  }
};
template <mlir::arith::CmpIPredicate P> struct CompareI {
  static Value create(OpBuilder& b, Location at, Value x, Value y) {
    return mlir::arith::CmpIOp::create(b, at, P, x, y);
  }
};
struct None {};  // the op does not take this family of dtypes

template <class Form> Value apply(OpBuilder& b, Location at, mlir::ValueRange x) {
  if constexpr (std::is_same_v<Form, None>) llvm_unreachable("the verifier refuses this dtype");
  else if constexpr (requires { Form::create(b, at, x[0], x[0]); }) return Form::create(b, at, x[0], x[1]);
  else return Form::create(b, at, x[0]);
}

// Chooses the form by the dtype of the op's first operand.
template <class Floats, class Signed, class Unsigned>
Value emit(OpBuilder& b, Location at, mlir::Operation* op, mlir::ValueRange x) {
  mlir::Type element = llvm::cast<mlir::RankedTensorType>(op->getOperand(0).getType()).getElementType();
  if (llvm::isa<mlir::FloatType>(element)) return apply<Floats>(b, at, x);
  if (element.isUnsignedInteger() || element.isInteger(1)) return apply<Unsigned>(b, at, x);
  return apply<Signed>(b, at, x);
}

}  // namespace scalar
}  // namespace tessera::tsr
