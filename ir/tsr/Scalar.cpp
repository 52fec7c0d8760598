#include <tessera/ir/tsr/Scalar.h>

#include <bit>
#include <cmath>

#include <tessera/ir/fuse/Fuse.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::tsr {

namespace arith = mlir::arith;
namespace math = mlir::math;
using fuse::body_type;
using mlir::Location;
using mlir::OpBuilder;
using mlir::Type;
using mlir::Value;

Type compute_type(Type storage) {
  auto real = llvm::dyn_cast<mlir::FloatType>(storage);
  return real && real.getWidth() < 32 ? mlir::Float32Type::get(storage.getContext()) : body_type(storage);
}

Value widen(OpBuilder& b, Location at, Value x) {
  Type wide = compute_type(x.getType());
  return wide == x.getType() ? x : arith::ExtFOp::create(b, at, wide, x).getResult();
}

Value narrow(OpBuilder& b, Location at, Value x, Type storage) {
  Type type = body_type(storage);
  return type == x.getType() ? x : arith::TruncFOp::create(b, at, type, x).getResult();
}

Value constant(OpBuilder& b, Location at, Type type, double value) {
  if (auto real = llvm::dyn_cast<mlir::FloatType>(type))
    return arith::ConstantOp::create(b, at, b.getFloatAttr(real, value));
  return constant(b, at, type, static_cast<int64_t>(value));
}

Value constant(OpBuilder& b, Location at, Type type, int64_t value) {
  if (llvm::isa<mlir::FloatType>(type)) return constant(b, at, type, static_cast<double>(value));
  // Wraps to the width, whichever sign the bits had.
  llvm::APInt bits(type.getIntOrFloatBitWidth(), static_cast<uint64_t>(value), false, true);
  return arith::ConstantOp::create(b, at, b.getIntegerAttr(type, bits));
}

namespace {

Value float_constant_like(OpBuilder& b, Location at, Value x, double value) {
  return constant(b, at, x.getType(), value);
}
Value int_constant_like(OpBuilder& b, Location at, Value x, int64_t value) {
  return constant(b, at, x.getType(), value);
}

Value compare(OpBuilder& b, Location at, arith::CmpFPredicate p, Value x, double y) {
  return arith::CmpFOp::create(b, at, p, x, float_constant_like(b, at, x, y));
}
Value compare(OpBuilder& b, Location at, arith::CmpIPredicate p, Value x, int64_t y) {
  return arith::CmpIOp::create(b, at, p, x, int_constant_like(b, at, x, y));
}
Value choose(OpBuilder& b, Location at, Value condition, Value x, Value y) {
  return arith::SelectOp::create(b, at, condition, x, y);
}

// Truncates and saturates; NaN gives 0. The conversion itself sees numbers in range alone, where it is defined.
Value float_to_int(OpBuilder& b, Location at, Value x, Type to) {
  const bool is_unsigned = to.isUnsignedInteger();
  const unsigned width = to.getIntOrFloatBitWidth();
  Type type = body_type(to);
  const double low = is_unsigned ? 0 : -std::ldexp(1.0, static_cast<int>(width) - 1);
  const double above = std::ldexp(1.0, static_cast<int>(is_unsigned ? width : width - 1));
  Value too_low = compare(b, at, arith::CmpFPredicate::OLT, x, low);
  Value too_high = compare(b, at, arith::CmpFPredicate::OGE, x, above);
  Value inside = arith::AndIOp::create(b, at, compare(b, at, arith::CmpFPredicate::OGE, x, low),
                                       compare(b, at, arith::CmpFPredicate::OLT, x, above));
  Value safe = choose(b, at, inside, x, float_constant_like(b, at, x, 0));
  Value whole = is_unsigned ? arith::FPToUIOp::create(b, at, type, safe).getResult()
                            : arith::FPToSIOp::create(b, at, type, safe).getResult();
  const auto least = llvm::APInt::getSignedMinValue(width), most = llvm::APInt::getSignedMaxValue(width);
  whole = choose(b, at, too_high, constant(b, at, type, is_unsigned ? int64_t{-1} : most.getSExtValue()), whole);
  return choose(b, at, too_low, constant(b, at, type, is_unsigned ? int64_t{0} : least.getSExtValue()), whole);
}

}  // namespace

Value cast(OpBuilder& b, Location at, Value x, Type from, Type to) {
  if (from == to) return x;
  const bool from_float = llvm::isa<mlir::FloatType>(from), to_float = llvm::isa<mlir::FloatType>(to);
  const bool from_unsigned = from.isUnsignedInteger() || from.isInteger(1);
  if (to.isInteger(1))
    return from_float ? compare(b, at, arith::CmpFPredicate::UNE, x, 0.0)
                      : compare(b, at, arith::CmpIPredicate::ne, x, int64_t{0});
  if (from_float && !to_float) return float_to_int(b, at, x, to);
  if (!from_float && !to_float) {
    const unsigned have = from.getIntOrFloatBitWidth(), want = to.getIntOrFloatBitWidth();
    if (have == want) return x;
    if (have > want) return arith::TruncIOp::create(b, at, body_type(to), x);
    return from_unsigned ? arith::ExtUIOp::create(b, at, body_type(to), x).getResult()
                         : arith::ExtSIOp::create(b, at, body_type(to), x).getResult();
  }
  if (!from_float) {
    Type wide = compute_type(to);
    x = from_unsigned ? arith::UIToFPOp::create(b, at, wide, x).getResult()
                      : arith::SIToFPOp::create(b, at, wide, x).getResult();
    return widen(b, at, narrow(b, at, x, to));
  }
  const unsigned have = x.getType().getIntOrFloatBitWidth(), want = to.getIntOrFloatBitWidth();
  if (want > have) return arith::ExtFOp::create(b, at, to, x);
  return widen(b, at, narrow(b, at, x, to));  // rounds here, even where a body then goes on in f32
}

Value SelectOp::emitScalar(OpBuilder& b, Location at, mlir::ValueRange x) { return choose(b, at, x[0], x[1], x[2]); }

Value CastOp::emitScalar(OpBuilder& b, Location at, mlir::ValueRange x) {
  return cast(b, at, x[0], element_of(getX()), element_of(getY()));
}

namespace scalar {

Value Same::create(OpBuilder&, Location, Value x) { return x; }

Value NegI::create(OpBuilder& b, Location at, Value x) {
  return arith::SubIOp::create(b, at, int_constant_like(b, at, x, 0), x);
}

Value AbsI::create(OpBuilder& b, Location at, Value x) {
  return choose(b, at, compare(b, at, arith::CmpIPredicate::slt, x, int64_t{0}), NegI::create(b, at, x), x);
}

Value Recip::create(OpBuilder& b, Location at, Value x) {
  return arith::DivFOp::create(b, at, float_constant_like(b, at, x, 1), x);
}

Value Sigmoid::create(OpBuilder& b, Location at, Value x) {
  Value e = math::ExpOp::create(b, at, arith::NegFOp::create(b, at, x).getResult());
  return Recip::create(b, at, arith::AddFOp::create(b, at, float_constant_like(b, at, x, 1), e));
}

Value SignF::create(OpBuilder& b, Location at, Value x) {
  Value negative = compare(b, at, arith::CmpFPredicate::OLT, x, 0.0);
  Value positive = compare(b, at, arith::CmpFPredicate::OGT, x, 0.0);
  Value rest = choose(b, at, negative, float_constant_like(b, at, x, -1), x);
  return choose(b, at, positive, float_constant_like(b, at, x, 1), rest);
}

Value SignI::create(OpBuilder& b, Location at, Value x) {
  Value negative = compare(b, at, arith::CmpIPredicate::slt, x, int64_t{0});
  Value positive = compare(b, at, arith::CmpIPredicate::sgt, x, int64_t{0});
  Value rest = choose(b, at, negative, int_constant_like(b, at, x, -1), int_constant_like(b, at, x, 0));
  return choose(b, at, positive, int_constant_like(b, at, x, 1), rest);
}

Value SignU::create(OpBuilder& b, Location at, Value x) {
  Value zero = compare(b, at, arith::CmpIPredicate::eq, x, int64_t{0});
  return choose(b, at, zero, int_constant_like(b, at, x, 0), int_constant_like(b, at, x, 1));
}

Value Not::create(OpBuilder& b, Location at, Value x) {
  return arith::XOrIOp::create(b, at, x, int_constant_like(b, at, x, -1));
}

Value IsFinite::create(OpBuilder& b, Location at, Value x) {
  Value size = math::AbsFOp::create(b, at, x);
  return compare(b, at, arith::CmpFPredicate::OLT, size, std::numeric_limits<double>::infinity());
}

Value True::create(OpBuilder& b, Location at, Value) { return constant(b, at, b.getI1Type(), int64_t{1}); }

Value FloorDivF::create(OpBuilder& b, Location at, Value x, Value y) {
  return math::FloorOp::create(b, at, arith::DivFOp::create(b, at, x, y).getResult());
}

Value RemF::create(OpBuilder& b, Location at, Value x, Value y) {
  Value whole = arith::MulFOp::create(b, at, y, FloorDivF::create(b, at, x, y));
  return arith::SubFOp::create(b, at, x, whole);
}

// Rounds to −∞. The machine divides neither by 0 nor the least integer by −1, so both take another way.
Value FloorDivS::create(OpBuilder& b, Location at, Value x, Value y) {
  Value zero = int_constant_like(b, at, x, 0), one = int_constant_like(b, at, x, 1);
  Value by_zero = compare(b, at, arith::CmpIPredicate::eq, y, int64_t{0});
  Value by_minus_one = compare(b, at, arith::CmpIPredicate::eq, y, int64_t{-1});
  Value safe = choose(b, at, arith::OrIOp::create(b, at, by_zero, by_minus_one), one, y);
  Value whole = arith::DivSIOp::create(b, at, x, safe), rest = arith::RemSIOp::create(b, at, x, safe);
  Value is_uneven = arith::CmpIOp::create(b, at, arith::CmpIPredicate::ne, rest, zero);
  Value signs = arith::XOrIOp::create(b, at, rest, safe);
  Value opposite = arith::CmpIOp::create(b, at, arith::CmpIPredicate::slt, signs, zero);
  Value lower = arith::SubIOp::create(b, at, whole, one);
  Value floor = choose(b, at, arith::AndIOp::create(b, at, is_uneven, opposite), lower, whole);
  return choose(b, at, by_zero, zero, choose(b, at, by_minus_one, NegI::create(b, at, x), floor));
}

Value FloorDivU::create(OpBuilder& b, Location at, Value x, Value y) {
  Value by_zero = compare(b, at, arith::CmpIPredicate::eq, y, int64_t{0});
  Value safe = choose(b, at, by_zero, int_constant_like(b, at, y, 1), y);
  Value whole = arith::DivUIOp::create(b, at, x, safe);
  return choose(b, at, by_zero, int_constant_like(b, at, x, 0), whole);
}

}  // namespace scalar
}  // namespace tessera::tsr
