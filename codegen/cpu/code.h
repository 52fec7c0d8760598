#pragma once
// Code: writes scalar and vector arithmetic. Every function takes scalars or vectors alike; a scalar meeting a vector
// is broadcast. Indices are i64; bf16 and f8 live as the integers of their bits (narrow.cpp).

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Builders.h"

namespace tessera::codegen {

using mlir::Type;
using mlir::Value;

class Code {
 public:
  Code(mlir::OpBuilder builder, mlir::Location location, int lane_count)
      : b(builder), loc(location), lanes(lane_count) {}

  mlir::OpBuilder b;
  mlir::Location loc;
  const int lanes;

  template <class Op, class... Args> auto make(Args&&... args) {
    auto op = Op::create(b, loc, std::forward<Args>(args)...);
    if constexpr (Op::template hasTrait<mlir::OpTrait::OneResult>()) return Value(op->getResult(0));
    else return op;
  }

  // ---- types ----
  Type i1() { return b.getI1Type(); }
  Type i32() { return b.getI32Type(); }
  Type i64() { return b.getI64Type(); }
  Type f32() { return b.getF32Type(); }
  Type pointer() { return mlir::LLVM::LLVMPointerType::get(b.getContext()); }
  static bool is_vector(Value value) { return mlir::isa<mlir::VectorType>(value.getType()); }
  static Type element(Value value) { return mlir::getElementTypeOrSelf(value.getType()); }
  Type vector_of(Type element) { return mlir::VectorType::get({lanes}, element); }
  Type like(Value shape, Type element) { return is_vector(shape) ? vector_of(element) : element; }
  // How a value of a body's type is held here.
  Type held(Type type);

  // ---- constants ----
  Value integer(int64_t value, Type type);  // scalar
  Value integer(int64_t value) { return integer(value, i64()); }
  Value constant(double value, Type type);  // scalar or vector type, float or integer
  Value constant_like(Value shape, double value) { return constant(value, shape.getType()); }
  Value bits(uint32_t pattern, Value shape);  // i32, scalar or vector as `shape`
  Value iota();                               // vector<lanes x i64>: 0, 1, 2, …

  // ---- arithmetic, float or integer by the operands' type ----
  Value broadcast(Value value);
  void match(Value& x, Value& y);
  Value add(Value x, Value y);
  Value sub(Value x, Value y);
  Value mul(Value x, Value y);
  Value div(Value x, Value y);           // floats
  Value fma(Value x, Value y, Value z);  // x·y + z, rounded once
  Value neg(Value x);
  Value shl(Value x, int by);
  Value shr(Value x, int by);  // logical
  Value bit_and(Value x, Value y);
  Value bit_or(Value x, Value y);
  Value bit_xor(Value x, Value y);
  Value compare(mlir::arith::CmpFPredicate, Value x, Value y);
  Value compare(mlir::arith::CmpIPredicate, Value x, Value y);
  Value select(Value condition, Value yes, Value no);
  Value bitcast(Value x, Type element);
  Value is_nan(Value x) { return compare(mlir::arith::CmpFPredicate::UNO, x, x); }
  // NaN in either operand gives NaN.
  Value maximum(Value x, Value y);
  Value minimum(Value x, Value y);
  Value min_index(Value x, Value y);  // signed integers
  Value convert_int(Value x, Type element, bool is_signed);

  // ---- memory; alignment is that of one element ----
  Value offset(Value pointer, Type element, Value index);  // a vector index gives a vector of pointers
  Value load(Value pointer, Type type);
  void store(Value value, Value pointer);
};

int bytes_of(Type element);

}  // namespace tessera::codegen
