#include <tessera/codegen/cpu/vector_math.h>

#include <initializer_list>
#include <limits>

#include "llvm/ADT/StringSwitch.h"

namespace tessera::codegen {

using mlir::arith::CmpFPredicate;
using mlir::arith::CmpIPredicate;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// Horner with fused steps; coefficients from the highest power down.
Value polynomial(Code& c, Value x, std::initializer_list<double> coefficients) {
  Value sum;
  for (double k : coefficients) {
    Value term = c.constant_like(x, k);
    sum = sum ? c.fma(sum, x, term) : term;
  }
  return sum;
}

Value clamp(Code& c, Value x, double low, double high) {  // NaN passes
  Value l = c.constant_like(x, low), h = c.constant_like(x, high);
  x = c.select(c.compare(CmpFPredicate::OLT, x, l), l, x);
  return c.select(c.compare(CmpFPredicate::OGT, x, h), h, x);
}

// 2^n for integers n held in i32 (i64 for f64 results), in the exponent's range.
Value power_of_two(Code& c, Value n) {
  bool wide = Code::element(n).isInteger(64);
  Value biased = c.add(n, c.constant_like(n, wide ? 1023 : 127));
  return c.bitcast(c.shl(biased, wide ? 52 : 23), wide ? Type(c.b.getF64Type()) : c.f32());
}

struct Rounded {
  Value number, integer;
};
// x to the nearest integer, as a float and as an integer, for |x| < 2^22: adding 1.5·2^23 leaves it in the low bits.
Rounded nearest(Code& c, Value x, Value scale) {
  Value magic = c.constant_like(x, 0x1.8p23);
  Value shifted = scale ? c.fma(x, scale, magic) : c.add(x, magic);
  return {c.sub(shifted, magic), c.sub(c.bitcast(shifted, c.i32()), c.bitcast(magic, c.i32()))};
}

struct Reduced {
  Value r;
  Rounded n;  // x = n · ln 2 + r
};
Reduced reduce_exp(Code& c, Value x) {
  Rounded n = nearest(c, x, c.constant_like(x, 1.44269504088896341));
  Value r = c.fma(n.number, c.constant_like(x, -0.693359375), x);
  return {c.fma(n.number, c.constant_like(x, 2.12194440e-4), r), n};
}

// e^r for |r| ≤ ½ ln 2: 1 + r + r² · P(r), where P meets (e^r − 1 − r) / r² at five Chebyshev points of that interval.
Value exp_of_rest(Code& c, Value r) {
  return polynomial(
      c, r, {1.3926213141530752e-3, 8.363203145563602e-3, 4.1666556149721146e-2, 1.6666576266288757e-1, 0.5, 1, 1});
}

// x · 2^n rounded once, n a float, or 0 where `vanishes`: one instruction where AVX-512 has a register of its own size.
bool has_scale_instruction(Code& c, Value x) { return c.lanes == 16 && Code::is_vector(x) && Code::element(x).isF32(); }
Value scale_instruction(Code& c, Value x, Value n, Value vanishes) {
  Value stays = c.bit_xor(vanishes, c.constant_like(vanishes, 1));
  Value mask = c.make<mlir::LLVM::BitcastOp>(c.b.getI16Type(), stays);
  Value as_set = c.integer(4, c.i32());  // the rounding mode of the moment
  auto call = mlir::LLVM::CallIntrinsicOp::create(c.b, c.loc, x.getType(),
                                                  c.b.getStringAttr("llvm.x86.avx512.mask.scalef.ps.512"),
                                                  mlir::ValueRange{x, n, c.constant_like(x, 0), mask, as_set});
  return call.getResult(0);
}

// y · 2^n for y in [½, 2], where 2^n itself may lie outside the range; 0 where `vanishes`. A product that rounds to 0 by
// itself costs the processor a hundred cycles, and a causal mask makes half of all exponentials such: they multiply by 0.
Value scale(Code& c, Value y, Rounded n, Value vanishes) {
  if (has_scale_instruction(c, y)) return scale_instruction(c, y, n.number, vanishes);
  Value half = c.make<mlir::arith::ShRSIOp>(n.integer, c.constant_like(n.integer, 1));
  Value first = power_of_two(c, half), second = power_of_two(c, c.sub(n.integer, half));
  second = c.select(vanishes, c.constant_like(second, 0), second);
  return c.mul(c.mul(y, first), second);
}

// What vanishes may be anything to the one instruction; otherwise its exponent must fit.
Value within(Code& c, Value x, double smallest, double largest) {
  if (!has_scale_instruction(c, x)) return clamp(c, x, smallest, largest);
  Value h = c.constant_like(x, largest);
  return c.select(c.compare(CmpFPredicate::OGT, x, h), h, x);
}

// ≤ 1 ulp
Value exp(Code& c, Value x) {
  constexpr double smallest = -104;  // e^−104 rounds to 0
  Value vanishes = c.compare(CmpFPredicate::OLE, x, c.constant_like(x, smallest));
  auto [r, n] = reduce_exp(c, within(c, x, smallest, 89.0));
  return scale(c, exp_of_rest(c, r), n, vanishes);
}

// ≤ 1.5 ulp
Value exp2(Code& c, Value x) {
  constexpr double smallest = -151;  // 2^−151 rounds to 0
  Value vanishes = c.compare(CmpFPredicate::OLE, x, c.constant_like(x, smallest));
  x = within(c, x, smallest, 129.0);
  Rounded n = nearest(c, x, Value());
  Value r = c.mul(c.sub(x, n.number), c.constant_like(x, 0.69314718055994531));
  return scale(c, exp_of_rest(c, r), n, vanishes);
}

// ≤ 2 ulp
Value expm1(Code& c, Value x) {
  auto [r, n] = reduce_exp(c, clamp(c, x, -20.0, 88.0));
  Value p = polynomial(
      c, r, {1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1});
  Value q = c.fma(c.mul(r, r), p, r), power = power_of_two(c, n.integer);
  Value result = c.fma(power, q, c.sub(power, c.constant_like(x, 1)));
  return c.select(c.compare(CmpFPredicate::OGT, x, c.constant_like(x, 88.0)), exp(c, x), result);
}

// ≤ 1.2 ulp
Value log(Code& c, Value x) {
  Value smallest = c.constant_like(x, 0x1p-126);
  Value tiny = c.compare(CmpFPredicate::OLT, x, smallest);
  Value scaled = c.select(tiny, c.mul(x, c.constant_like(x, 0x1p23)), x);
  Value bits = c.bitcast(scaled, c.i32());
  // Mantissa in [√½, √2): the exponent is that of x / √½.
  Value moved = c.sub(bits, c.bits(0x3f3504f3, bits));
  Value e = c.make<mlir::arith::ShRSIOp>(moved, c.constant_like(moved, 23));
  Value m = c.bitcast(c.sub(bits, c.shl(e, 23)), c.f32());
  e = c.select(tiny, c.sub(e, c.constant_like(e, 23)), e);
  Value exponent = c.make<mlir::arith::SIToFPOp>(c.like(x, c.f32()), e);
  Value f = c.sub(m, c.constant_like(x, 1));
  Value z = c.mul(f, f);
  Value p = polynomial(c, f,
                       {7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
                        -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1});
  Value y = c.mul(c.mul(f, z), p);
  y = c.fma(exponent, c.constant_like(x, -2.12194440e-4), y);
  y = c.fma(z, c.constant_like(x, -0.5), y);
  Value result = c.fma(exponent, c.constant_like(x, 0.693359375), c.add(f, y));
  Value zero = c.constant_like(x, 0), inf = c.constant_like(x, infinity);
  result = c.select(c.compare(CmpFPredicate::OEQ, x, zero), c.constant_like(x, -infinity), result);
  result =
      c.select(c.compare(CmpFPredicate::ULT, x, zero), c.constant_like(x, std::numeric_limits<double>::quiet_NaN()),
               result);  // unordered: NaN too
  return c.select(c.compare(CmpFPredicate::OEQ, x, inf), inf, result);
}

// ≤ 3 ulp: log(u) · x / (u − 1) repairs the rounding of u = 1 + x (Kahan).
Value log1p(Code& c, Value x) {
  Value one = c.constant_like(x, 1);
  Value u = c.add(x, one);
  Value d = c.sub(u, one);
  Value result = c.mul(log(c, u), c.div(x, d));
  result = c.select(c.compare(CmpFPredicate::OEQ, d, c.constant_like(x, 0)), x, result);
  Value inf = c.constant_like(x, infinity);
  return c.select(c.compare(CmpFPredicate::OEQ, u, inf), inf, result);
}

Value absolute(Code& c, Value x) { return c.make<mlir::math::AbsFOp>(x); }
Value with_sign_of(Code& c, Value magnitude, Value x) { return c.make<mlir::math::CopySignOp>(magnitude, x); }

// ≤ 2 ulp
Value tanh(Code& c, Value x) {
  Value z = c.mul(x, x);
  Value p =
      polynomial(c, z, {-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1});
  Value small = c.fma(c.mul(p, z), x, x);
  Value a = absolute(c, x);
  Value one = c.constant_like(x, 1);
  Value e = exp(c, c.add(a, a));
  Value large = c.sub(one, c.div(c.constant_like(x, 2), c.add(e, one)));
  return c.select(c.compare(CmpFPredicate::OLT, a, c.constant_like(x, 0.625)), small, with_sign_of(c, large, x));
}

// ≤ 1.5 ulp
Value erf(Code& c, Value x) {
  Value a = absolute(c, x), s = c.mul(x, x);
  Value r = c.fma(c.constant_like(x, -1.72853470e-5), a, c.constant_like(x, 3.83197126e-4));
  Value u = c.fma(c.constant_like(x, -3.88396438e-3), a, c.constant_like(x, 2.42546219e-2));
  r = c.fma(r, s, u);
  for (double k : {-1.06777877e-1, -6.34846687e-1, -1.28717512e-1}) r = c.fma(r, a, c.constant_like(x, k));
  r = c.fma(r, a, c.neg(a));
  Value large = with_sign_of(c, c.sub(c.constant_like(x, 1), exp(c, r)), x);
  // Far out the polynomial turns around; erf is 1 there.
  large = c.select(c.compare(CmpFPredicate::OGT, a, c.constant_like(x, 4)), with_sign_of(c, c.constant_like(x, 1), x),
                   large);
  Value p =
      polynomial(c, s, {-5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1, -3.76125336e-1, 1.28379166e-1});
  Value small = c.fma(p, x, x);
  Value is_large = c.compare(CmpFPredicate::OGT, a, c.constant_like(x, 0.927734375));
  return c.select(is_large, large, small);
}

Value call_libm(Code& c, llvm::StringRef function, llvm::ArrayRef<Value> operands);

// ≤ 1.5 ulp for |x| < 2^30. The reduction is done in f64, where 2^30 · π/2 still has a good fraction.
Value sin_or_cos_small(Code& c, Value x, int quadrant) {
  Type f64 = c.b.getF64Type();
  Value wide = c.make<mlir::arith::ExtFOp>(c.like(x, f64), x);
  Value magic = c.constant_like(wide, 0x1.8p52);
  Value shifted = c.fma(wide, c.constant_like(wide, 0.63661977236758138), magic);
  Value n = c.sub(shifted, magic);
  Value r = c.fma(n, c.constant_like(wide, -1.5707963267948966), wide);
  r = c.fma(n, c.constant_like(wide, -6.123233995736766e-17), r);
  Value which = c.convert_int(c.bitcast(shifted, c.i64()), c.i32(), false);
  which = c.add(which, c.constant_like(which, quadrant));
  Value y = c.make<mlir::arith::TruncFOp>(x.getType(), r);
  Value z = c.mul(y, y);
  Value sine = c.fma(c.mul(polynomial(c, z, {-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1}), z), y, y);
  Value cosine = polynomial(c, z, {2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2});
  cosine = c.fma(c.mul(cosine, z), z, c.fma(z, c.constant_like(x, -0.5), c.constant_like(x, 1)));
  Value is_cosine = c.compare(CmpIPredicate::ne, c.bit_and(which, c.bits(1, which)), c.bits(0, which));
  Value is_negative = c.compare(CmpIPredicate::ne, c.bit_and(which, c.bits(2, which)), c.bits(0, which));
  Value result = c.select(is_cosine, cosine, sine);
  return c.select(is_negative, c.neg(result), result);
}

// Arguments past 2^30 are rare: a vector that holds one goes to libm as a whole.
Value sin_or_cos(Code& c, Value x, int quadrant) {
  Value large = c.compare(CmpFPredicate::OGE, absolute(c, x), c.constant_like(x, 0x1p30));
  Value any = large;
  if (Code::is_vector(large)) any = c.make<mlir::vector::ReductionOp>(mlir::vector::CombiningKind::OR, large);
  auto branch = mlir::scf::IfOp::create(c.b, c.loc, mlir::TypeRange{x.getType()}, any, /*withElseRegion=*/true);
  mlir::OpBuilder::InsertionGuard guard(c.b);
  c.b.setInsertionPointToStart(branch.thenBlock());
  Value wide = c.make<mlir::arith::ExtFOp>(c.like(x, c.b.getF64Type()), x);
  wide = call_libm(c, quadrant == 0 ? "sin" : "cos", wide);
  mlir::scf::YieldOp::create(c.b, c.loc, Value(c.make<mlir::arith::TruncFOp>(x.getType(), wide)));
  c.b.setInsertionPointToStart(branch.elseBlock());
  mlir::scf::YieldOp::create(c.b, c.loc, sin_or_cos_small(c, x, quadrant));
  return branch.getResult(0);
}

// ln of a positive f64, relative error 1e-13; inputs that came from f32 are never subnormal.
Value log_wide(Code& c, Value x) {
  Value bits = c.bitcast(x, c.i64());
  Value moved = c.sub(bits, c.constant_like(bits, static_cast<double>(0x3fe6a09e00000000)));
  Value e = c.make<mlir::arith::ShRSIOp>(moved, c.constant_like(moved, 52));
  Value m = c.bitcast(c.sub(bits, c.shl(e, 52)), c.b.getF64Type());
  Value one = c.constant_like(x, 1);
  Value s = c.div(c.sub(m, one), c.add(m, one));
  Value p =
      polynomial(c, c.mul(s, s), {2.0 / 17, 2.0 / 15, 2.0 / 13, 2.0 / 11, 2.0 / 9, 2.0 / 7, 2.0 / 5, 2.0 / 3, 2.0});
  Value exponent = c.make<mlir::arith::SIToFPOp>(x.getType(), e);
  return c.fma(exponent, c.constant_like(x, 0.69314718055994531), c.mul(p, s));
}

Value exp_wide(Code& c, Value x) {
  x = clamp(c, x, -200, 200);  // far outside f32 already
  Value magic = c.constant_like(x, 0x1.8p52);
  Value shifted = c.fma(x, c.constant_like(x, 1.4426950408889634), magic);
  Value n = c.sub(c.bitcast(shifted, c.i64()), c.bitcast(magic, c.i64()));
  Value r = c.fma(c.sub(shifted, magic), c.constant_like(x, -0.69314718055994531), x);
  Value p = polynomial(
      c, r, {1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1, 1});
  return c.mul(p, power_of_two(c, n));
}

// ≤ 0.6 ulp: |x|^y through f64, then the signs and the special cases of C's pow.
Value pow(Code& c, Value x, Value y) {
  c.match(x, y);
  Type f64 = c.b.getF64Type();
  auto number = [&](double k) { return c.constant_like(x, k); };
  Value a = absolute(c, x);
  Value wide = c.make<mlir::arith::ExtFOp>(c.like(x, f64), a);
  Value exponent = c.make<mlir::arith::ExtFOp>(c.like(x, f64), y);
  Value l = log_wide(c, wide);
  l = c.select(c.compare(CmpFPredicate::OEQ, a, number(0)), c.constant_like(l, -infinity), l);
  l = c.select(c.compare(CmpFPredicate::OEQ, a, number(infinity)), c.constant_like(l, infinity), l);
  Value result = c.make<mlir::arith::TruncFOp>(x.getType(), exp_wide(c, c.mul(exponent, l)));
  // A negative base: the sign of an odd power, NaN for a power that is no integer.
  Value whole = c.compare(CmpFPredicate::OEQ, c.make<mlir::math::FloorOp>(y), y);
  Value half = c.mul(y, number(0.5));
  Value odd = c.bit_and(whole, c.compare(CmpFPredicate::ONE, c.make<mlir::math::FloorOp>(half), half));
  result = c.select(odd, with_sign_of(c, result, x), result);
  Value finite = c.compare(CmpFPredicate::OGT, x, number(-infinity));
  Value below = c.bit_and(c.compare(CmpFPredicate::OLT, x, number(0)), finite);
  Value fractional = c.compare(CmpFPredicate::UNE, c.make<mlir::math::FloorOp>(y), y);
  result = c.select(c.bit_and(below, fractional), number(std::numeric_limits<double>::quiet_NaN()), result);
  Value unknown = c.compare(CmpFPredicate::UNO, x, y);
  result = c.select(unknown, c.add(x, y), result);
  Value unit = c.bit_and(c.compare(CmpFPredicate::OEQ, a, number(1)),
                         c.compare(CmpFPredicate::OEQ, absolute(c, y), number(infinity)));
  Value one = c.bit_or(c.bit_or(unit, c.compare(CmpFPredicate::OEQ, x, number(1))),
                       c.compare(CmpFPredicate::OEQ, y, number(0)));
  return c.select(one, number(1), result);
}

Value call_libm(Code& c, llvm::StringRef function, llvm::ArrayRef<Value> operands) {
  Type f64 = c.b.getF64Type();
  auto module = c.b.getInsertionBlock()->getParentOp()->getParentOfType<mlir::ModuleOp>();
  auto callee = module.lookupSymbol<mlir::LLVM::LLVMFuncOp>(function);
  if (!callee) {
    mlir::OpBuilder::InsertionGuard guard(c.b);
    c.b.setInsertionPointToStart(module.getBody());
    llvm::SmallVector<Type> types(operands.size(), f64);
    callee = mlir::LLVM::LLVMFuncOp::create(c.b, c.loc, function, mlir::LLVM::LLVMFunctionType::get(f64, types));
  }
  auto call = [&](llvm::ArrayRef<Value> scalars) {
    return mlir::LLVM::CallOp::create(c.b, c.loc, callee, scalars).getResult();
  };
  if (!Code::is_vector(operands[0])) return call(operands);
  Value result = c.constant_like(operands[0], 0);
  for (int lane = 0; lane < c.lanes; ++lane) {
    llvm::SmallVector<Value> scalars;
    for (Value operand : operands) scalars.push_back(c.make<mlir::vector::ExtractOp>(operand, lane));
    result = c.make<mlir::vector::InsertOp>(call(scalars), result, lane);
  }
  return result;
}

}  // namespace

Value call_math(Code& c, llvm::StringRef op, llvm::ArrayRef<Value> operands) {
  Value x = operands[0];
  if (op == "rsqrt") return c.div(c.constant_like(x, 1), c.make<mlir::math::SqrtOp>(x));
  auto libm = llvm::StringSwitch<llvm::StringRef>(op)
                  .Cases({"exp", "exp2", "expm1", "log",  "log1p", "tanh", "erf",   "sin",   "cos",   "log2", "log10",
                          "tan", "atan", "asin",  "acos", "sinh",  "cosh", "asinh", "acosh", "atanh", "cbrt", "erfc"},
                         op)
                  .Case("powf", "pow")
                  .Case("atan2", "atan2")
                  .Default("");
  if (libm.empty()) return {};
  Type element = Code::element(x);
  if (element.isF64()) {
    llvm::SmallVector<Value> same(operands);
    for (Value& operand : same) {
      for (Value other : operands) c.match(operand, other);
    }
    return call_libm(c, libm, same);
  }
  if (!element.isF32()) {  // f16: through f32
    llvm::SmallVector<Value> wide;
    for (Value operand : operands) wide.push_back(c.make<mlir::arith::ExtFOp>(c.like(operand, c.f32()), operand));
    Value result = call_math(c, op, wide);
    return c.make<mlir::arith::TruncFOp>(c.like(result, element), result);
  }
  if (op == "exp") return exp(c, x);
  if (op == "exp2") return exp2(c, x);
  if (op == "expm1") return expm1(c, x);
  if (op == "log") return log(c, x);
  if (op == "log1p") return log1p(c, x);
  if (op == "tanh") return tanh(c, x);
  if (op == "erf") return erf(c, x);
  if (op == "sin") return sin_or_cos(c, x, 0);
  if (op == "cos") return sin_or_cos(c, x, 1);
  if (op == "powf") return pow(c, x, operands[1]);
  llvm::SmallVector<Value> wide;  // the rest are rare: f64 and libm
  for (Value operand : operands) {
    wide.push_back(c.make<mlir::arith::ExtFOp>(c.like(operand, c.b.getF64Type()), operand));
  }
  Value result = call_math(c, op, wide);
  return c.make<mlir::arith::TruncFOp>(c.like(result, c.f32()), result);
}

}  // namespace tessera::codegen
