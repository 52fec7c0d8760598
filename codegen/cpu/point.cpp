#include <tessera/codegen/cpu/point.h>

#include <limits>

#include <tessera/codegen/cpu/narrow.h>
#include <tessera/codegen/cpu/vector_math.h>
#include <tessera/core/error.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::codegen {

using namespace mlir;

Value convert_float(Code& c, Value x, Type from, Type to) {
  if (from == to) return x;
  if (is_narrow(from)) {
    x = widen(c, x, from);
    return convert_float(c, x, c.f32(), to);
  }
  if (is_narrow(to)) {
    if (from.isF64()) x = round_to_odd(c, x);
    else if (!from.isF32()) x = c.make<arith::ExtFOp>(c.like(x, c.f32()), x);
    return narrow(c, x, to);
  }
  if (from.isF64() && to.isF16()) {
    return c.make<arith::TruncFOp>(c.like(x, to), round_to_odd(c, x));
  }
  if (from.getIntOrFloatBitWidth() < to.getIntOrFloatBitWidth()) return c.make<arith::ExtFOp>(c.like(x, to), x);
  return c.make<arith::TruncFOp>(c.like(x, to), x);
}

namespace {

Value emit_constant(Code& c, arith::ConstantOp op) {
  Type type = op.getType();
  if (is_narrow(type)) {
    APInt bits = cast<FloatAttr>(op.getValue()).getValue().bitcastToAPInt();
    return c.make<arith::ConstantOp>(c.b.getIntegerAttr(c.held(type), bits));
  }
  if (auto integer = dyn_cast<IntegerAttr>(op.getValue())) {
    Type held = c.held(type);
    return c.make<arith::ConstantOp>(
        c.b.getIntegerAttr(held, integer.getValue().sextOrTrunc(held.getIntOrFloatBitWidth())));
  }
  return c.make<arith::ConstantOp>(op.getValue());
}

// Truncates towards zero and saturates; NaN gives 0.
Value to_integer(Code& c, Value x, Type from, Type to, bool is_signed) {
  if (is_narrow(from) || from.isF16()) x = convert_float(c, x, from, c.f32());
  if (to.isInteger(1)) {
    return c.compare(arith::CmpFPredicate::UNE, x, c.constant_like(x, 0));
  }
  auto text = [&](Type type) {
    std::string name = isa<FloatType>(type) ? "f" : "i";
    name += std::to_string(type.getIntOrFloatBitWidth());
    return Code::is_vector(x) ? "v" + std::to_string(c.lanes) + name : name;
  };
  std::string intrinsic =
      std::string("llvm.fpto") + (is_signed ? "s" : "u") + "i.sat." + text(to) + "." + text(Code::element(x));
  auto call = LLVM::CallIntrinsicOp::create(c.b, c.loc, c.like(x, to), c.b.getStringAttr(intrinsic), ValueRange{x});
  return call.getResult(0);
}

Value from_integer(Code& c, Value x, Type to, bool is_signed) {
  Type native = is_narrow(to) ? (Code::element(x).getIntOrFloatBitWidth() > 24 ? Type(c.b.getF64Type()) : c.f32()) : to;
  Value number =
      is_signed ? c.make<arith::SIToFPOp>(c.like(x, native), x) : c.make<arith::UIToFPOp>(c.like(x, native), x);
  return convert_float(c, number, native, to);
}

// x / y or x % y without a trap: a zero divisor gives 0, and so that the one overflow of signed division cannot occur,
// a divisor of −1 is a negation.
Value divide(Code& c, Operation* op, Value x, Value y) {
  c.match(x, y);
  bool is_signed = isa<arith::DivSIOp, arith::RemSIOp>(op), remainder = isa<arith::RemSIOp, arith::RemUIOp>(op);
  Value zero = c.constant_like(y, 0), one = c.constant_like(y, 1), minus = c.constant_like(y, -1);
  Value by_zero = c.compare(arith::CmpIPredicate::eq, y, zero);
  Value by_minus = c.compare(arith::CmpIPredicate::eq, y, minus);
  Value safe = c.select(by_zero, one, y);
  if (is_signed) safe = c.select(by_minus, one, safe);
  Value result;
  if (isa<arith::DivSIOp>(op)) result = c.make<arith::DivSIOp>(x, safe);
  else if (isa<arith::DivUIOp>(op)) result = c.make<arith::DivUIOp>(x, safe);
  else if (isa<arith::RemSIOp>(op)) result = c.make<arith::RemSIOp>(x, safe);
  else result = c.make<arith::RemUIOp>(x, safe);
  if (is_signed) result = c.select(by_minus, remainder ? zero : c.sub(zero, x), result);
  return c.select(by_zero, zero, result);
}

// ⌊x / y⌋ of signed integers.
Value floor_divide(Code& c, Value x, Value y) {
  c.match(x, y);
  Value zero = c.constant_like(y, 0);
  Value by_zero = c.compare(arith::CmpIPredicate::eq, y, zero);
  Value by_minus = c.compare(arith::CmpIPredicate::eq, y, c.constant_like(y, -1));
  Value safe = c.select(c.bit_or(by_zero, by_minus), c.constant_like(y, 1), y);
  Value quotient = c.make<arith::DivSIOp>(x, safe);
  Value rest = c.sub(x, c.mul(quotient, safe));
  Value differ = c.compare(arith::CmpIPredicate::slt, c.bit_xor(rest, safe), zero);
  Value inexact = c.compare(arith::CmpIPredicate::ne, rest, zero);
  Value result = c.select(c.bit_and(differ, inexact), c.sub(quotient, c.constant_like(y, 1)), quotient);
  result = c.select(by_minus, c.sub(zero, x), result);
  return c.select(by_zero, zero, result);
}

// Any other op of arith or math, with its attributes, on these operands.
Value clone(Code& c, Operation* op, ArrayRef<Value> operands) {
  SmallVector<Value> same(operands);
  bool vector = llvm::any_of(same, [](Value v) { return Code::is_vector(v); });
  if (vector) {
    for (Value& operand : same) operand = c.broadcast(operand);
  }
  Type held = c.held(op->getResult(0).getType());
  OperationState state(c.loc, op->getName(), same, vector ? c.vector_of(held) : held,
                       op->getAttrDictionary().getValue());
  return c.b.create(state)->getResult(0);
}

bool computes_on_bits(Operation* op) { return isa<arith::SelectOp, arith::BitcastOp>(op); }

}  // namespace

Value emit_point(Code& c, Operation* op, ArrayRef<Value> operands) {
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) return emit_constant(c, constant);
  Type from = op->getNumOperands() ? op->getOperand(0).getType() : Type();
  Type to = op->getResult(0).getType();
  if (isa<arith::ExtFOp, arith::TruncFOp>(op)) return convert_float(c, operands[0], from, to);
  if (isa<arith::FPToSIOp, arith::FPToUIOp>(op)) {
    return to_integer(c, operands[0], from, c.held(to), isa<arith::FPToSIOp>(op));
  }
  if (isa<arith::SIToFPOp, arith::UIToFPOp>(op)) return from_integer(c, operands[0], to, isa<arith::SIToFPOp>(op));
  if (isa<arith::IndexCastOp, arith::IndexCastUIOp>(op)) {
    return c.convert_int(operands[0], c.held(to), isa<arith::IndexCastOp>(op));
  }
  if (isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp>(op)) {
    return divide(c, op, operands[0], operands[1]);
  }
  if (isa<arith::FloorDivSIOp>(op)) return floor_divide(c, operands[0], operands[1]);
  for (Value operand : op->getOperands()) {
    if (is_narrow(operand.getType()) && !computes_on_bits(op)) {
      throw InternalError("a kernel computes in a storage type: " + op->getName().getStringRef().str());
    }
  }
  if (isa<arith::MaximumFOp>(op)) return c.maximum(operands[0], operands[1]);
  if (isa<arith::MinimumFOp>(op)) return c.minimum(operands[0], operands[1]);
  if (isa<arith::SelectOp>(op)) return c.select(operands[0], operands[1], operands[2]);
  llvm::StringRef dialect = op->getName().getDialectNamespace();
  if (dialect == "math") {
    if (Value result = call_math(c, op->getName().stripDialect(), operands)) return result;
  }
  if (dialect != "math" && dialect != "arith") {
    throw InternalError("no code for " + op->getName().getStringRef().str() + " in a kernel");
  }
  return clone(c, op, operands);
}

Combine combine_of(Operation* reduce) {
  switch (cast<fuse::ReduceOp>(reduce).getKind()) {
    case fuse::ReduceKind::sum: return Combine::sum;
    case fuse::ReduceKind::max: return Combine::max;
    case fuse::ReduceKind::min: return Combine::min;
    case fuse::ReduceKind::prod: return Combine::prod;
  }
  return Combine::sum;
}

Value combine(Code& c, Combine how, Value x, Value y) {
  c.match(x, y);
  bool is_float = isa<FloatType>(Code::element(x)), is_bool = Code::element(x).isInteger(1);
  switch (how) {
    case Combine::sum: return is_bool ? c.bit_or(x, y) : c.add(x, y);
    case Combine::prod: return is_bool ? c.bit_and(x, y) : c.mul(x, y);
    case Combine::max:
      if (is_bool) return c.bit_or(x, y);
      return is_float ? c.maximum(x, y) : c.make<arith::MaxSIOp>(x, y);
    case Combine::min:
      if (is_bool) return c.bit_and(x, y);
      return is_float ? c.minimum(x, y) : c.make<arith::MinSIOp>(x, y);
  }
  return {};
}

Value identity_of(Code& c, Combine how, Type type) {
  Type element = getElementTypeOrSelf(type);
  bool is_float = isa<FloatType>(element);
  unsigned width = element.getIntOrFloatBitWidth();
  auto integer = [&](APInt value) -> Value {
    auto attr = c.b.getIntegerAttr(element, value);
    if (auto shaped = dyn_cast<VectorType>(type)) {
      return c.make<arith::ConstantOp>(DenseElementsAttr::get(shaped, Attribute(attr)));
    }
    return c.make<arith::ConstantOp>(attr);
  };
  double infinity = std::numeric_limits<double>::infinity();
  switch (how) {
    case Combine::sum: return c.constant(0, type);
    case Combine::prod: return c.constant(1, type);
    case Combine::max:
      if (is_float) return c.constant(-infinity, type);
      return width == 1 ? c.constant(0, type) : integer(APInt::getSignedMinValue(width));
    case Combine::min:
      if (is_float) return c.constant(infinity, type);
      return width == 1 ? c.constant(1, type) : integer(APInt::getSignedMaxValue(width));
  }
  return {};
}

Value across_lanes(Code& c, Combine how, Value value) {
  for (int64_t half = c.lanes / 2; half > 0; half /= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t k = 0; k < half; ++k) low.push_back(k), high.push_back(k + half);
    Value x = c.make<vector::ShuffleOp>(value, value, low), y = c.make<vector::ShuffleOp>(value, value, high);
    value = combine(c, how, x, y);
  }
  return c.make<vector::ExtractOp>(value, 0);
}

}  // namespace tessera::codegen
