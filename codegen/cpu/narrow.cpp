#include <tessera/codegen/cpu/narrow.h>

namespace tessera::codegen {

using mlir::arith::CmpFPredicate;
using mlir::arith::CmpIPredicate;

namespace {

struct Format {
  int mantissa, bias;
  uint32_t largest, overflow, nan;  // magnitude codes
};
constexpr Format e4m3{3, 7, 0x7e, 0x7e, 0x7f};
constexpr Format e5m2{2, 15, 0x7b, 0x7c, 0x7e};

const Format& format_of(Type type) { return mlir::isa<mlir::Float8E5M2Type>(type) ? e5m2 : e4m3; }

Value widen_f8(Code& c, Value held, const Format& f) {
  Value code = c.convert_int(held, c.i32(), false);
  auto bits = [&](uint32_t pattern) { return c.bits(pattern, code); };
  Value magnitude = c.bit_and(code, bits(0x7f));
  Value sign = c.shl(c.bit_and(code, bits(0x80)), 24);
  Value normal = c.add(c.shl(magnitude, 23 - f.mantissa), bits(static_cast<uint32_t>(127 - f.bias) << 23));
  // Subnormal: so many times the smallest step.
  Value steps = c.make<mlir::arith::SIToFPOp>(c.like(code, c.f32()), magnitude);
  Value step = c.bitcast(bits(static_cast<uint32_t>(128 - f.bias - f.mantissa) << 23), c.f32());
  Value small = c.bitcast(c.mul(steps, step), c.i32());
  Value result = c.select(c.compare(CmpIPredicate::ult, magnitude, bits(1u << f.mantissa)), small, normal);
  if (f.overflow > f.largest) {
    result = c.select(c.compare(CmpIPredicate::eq, magnitude, bits(f.overflow)), bits(0x7f800000), result);
  }
  result = c.select(c.compare(CmpIPredicate::ugt, magnitude, bits(std::max(f.overflow, f.largest))), bits(0x7fc00000),
                    result);
  return c.bitcast(c.bit_or(result, sign), c.f32());
}

Value narrow_f8(Code& c, Value value, const Format& f) {
  Value code = c.bitcast(value, c.i32());
  auto bits = [&](uint32_t pattern) { return c.bits(pattern, code); };
  Value magnitude = c.bit_and(code, bits(0x7fffffff));
  Value sign = c.bit_and(c.shr(code, 24), bits(0x80));
  int shift = 23 - f.mantissa;
  // Normal: add just under half of the last kept bit, and one more when that bit is odd.
  Value based = c.sub(magnitude, bits(static_cast<uint32_t>(127 - f.bias) << 23));
  Value odd = c.bit_and(c.shr(based, shift), bits(1));
  Value normal = c.shr(c.add(c.add(based, bits((1u << (shift - 1)) - 1)), odd), shift);
  // Subnormal: adding a float whose last bit is worth the smallest step rounds for us.
  uint32_t magic = static_cast<uint32_t>(127 + 24 - f.bias - f.mantissa) << 23;
  Value shifted = c.add(c.bitcast(magnitude, c.f32()), c.bitcast(bits(magic), c.f32()));
  Value small = c.sub(c.bitcast(shifted, c.i32()), bits(magic));
  Value is_small = c.compare(CmpIPredicate::ult, magnitude, bits(static_cast<uint32_t>(128 - f.bias) << 23));
  Value result = c.select(is_small, small, normal);
  result = c.select(c.compare(CmpIPredicate::ugt, result, bits(f.largest)), bits(f.overflow), result);
  result = c.select(c.compare(CmpIPredicate::ugt, magnitude, bits(0x7f800000)), bits(f.nan), result);
  return c.convert_int(c.bit_or(result, sign), c.b.getI8Type(), false);
}

Value widen_bf16(Code& c, Value held) { return c.bitcast(c.shl(c.convert_int(held, c.i32(), false), 16), c.f32()); }

// The machine's own instruction flushes subnormals, so the rounding is written out.
Value narrow_bf16(Code& c, Value value) {
  Value code = c.bitcast(value, c.i32());
  Value odd = c.bit_and(c.shr(code, 16), c.bits(1, code));
  Value rounded = c.shr(c.add(c.add(code, c.bits(0x7fff, code)), odd), 16);
  Value nan = c.bit_or(c.bit_and(c.shr(code, 16), c.bits(0x8000, code)), c.bits(0x7fc0, code));
  return c.convert_int(c.select(c.is_nan(value), nan, rounded), c.b.getI16Type(), false);
}

}  // namespace

bool is_narrow(Type type) { return mlir::isa<mlir::BFloat16Type, mlir::Float8E4M3FNType, mlir::Float8E5M2Type>(type); }

Value widen(Code& code, Value held, Type narrow) {
  return narrow.isBF16() ? widen_bf16(code, held) : widen_f8(code, held, format_of(narrow));
}

Value narrow(Code& code, Value value, Type narrow) {
  return narrow.isBF16() ? narrow_bf16(code, value) : narrow_f8(code, value, format_of(narrow));
}

Value round_to_odd(Code& c, Value value) {
  // The nearest f32, moved one step towards zero if it overshot: truncation. Then an inexact one gets its last bit.
  Value nearest = c.make<mlir::arith::TruncFOp>(c.like(value, c.f32()), value);
  auto back = [&](Value x) -> Value { return c.make<mlir::arith::ExtFOp>(value.getType(), x); };
  auto magnitude = [&](Value x) -> Value { return c.make<mlir::math::AbsFOp>(x); };
  Value overshot = c.compare(CmpFPredicate::OGT, magnitude(back(nearest)), magnitude(value));
  Value pattern = c.bitcast(nearest, c.i32());
  pattern = c.select(overshot, c.sub(pattern, c.bits(1, pattern)), pattern);
  Value truncated = c.bitcast(pattern, c.f32());
  Value inexact = c.compare(CmpFPredicate::ONE, back(truncated), value);
  return c.bitcast(c.select(inexact, c.bit_or(pattern, c.bits(1, pattern)), pattern), c.f32());
}

}  // namespace tessera::codegen
