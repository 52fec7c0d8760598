#include <tessera/ir/plane/conditions.h>

#include <cmath>

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/IR/AffineExpr.h"

#include <tessera/ir/plane/facts.h>

namespace tessera::ir {

namespace arith = mlir::arith;
using mlir::Operation;
using mlir::Value;
using Op = Liveness::Op;

namespace {

unsigned bits_of(Value value) { return value.getType().isIndex() ? 64 : value.getType().getIntOrFloatBitWidth(); }

}  // namespace

// ---- bools ----

LivenessWriter::Known Conditions::fact(Value value, bool holds) {
  auto [known, fresh] = facts_.try_emplace({value, holds}, never);
  if (!fresh) return known->second;
  const Known found = find_fact(value, holds);
  facts_[{value, holds}] = found;
  return found;
}

LivenessWriter::Known Conditions::find_fact(Value value, bool holds) {
  Operation* op = value.getDefiningOp();
  if (!op) {
    const std::optional<int32_t> load = load_of(llvm::cast<mlir::BlockArgument>(value));
    return load ? compare(Op::equal, add({Op::load, 0, 0, 0, 0, *load}), constant(holds)) : never;
  }
  auto x = [&](bool is) { return fact(op->getOperand(0), is); };
  auto y = [&](bool is) { return fact(op->getOperand(1), is); };
  auto differ = [&](bool they) { return either(both(x(true), y(!they)), both(x(false), y(they))); };
  return llvm::TypeSwitch<Operation*, Known>(op)
      .Case([&](arith::ConstantOp c) {
        return llvm::cast<mlir::IntegerAttr>(c.getValue()).getValue().isZero() != holds ? always : never;
      })
      .Case<arith::AndIOp>([&](Operation*) { return holds ? both(x(true), y(true)) : either(x(false), y(false)); })
      .Case<arith::OrIOp>([&](Operation*) { return holds ? either(x(true), y(true)) : both(x(false), y(false)); })
      .Case<arith::XOrIOp>([&](Operation*) { return differ(holds); })
      .Case([&](arith::SelectOp select) {
        const Known a = fact(select.getTrueValue(), holds), b = fact(select.getFalseValue(), holds);
        return either(both(a, b), either(both(x(true), a), both(x(false), b)));
      })
      .Case([&](arith::CmpIOp c) {
        if (!c.getLhs().getType().isInteger(1)) return compare_integers(c, holds);
        if (c.getPredicate() == arith::CmpIPredicate::eq) return differ(!holds);
        return c.getPredicate() == arith::CmpIPredicate::ne ? differ(holds) : Known{never};
      })
      .Case([&](arith::CmpFOp c) { return compare_reals(c, holds); })
      .Default([&](Operation*) { return Known{never}; });
}

LivenessWriter::Known Conditions::compare_integers(arith::CmpIOp op, bool holds) {
  using P = arith::CmpIPredicate;
  const P p = holds ? op.getPredicate() : arith::invertPredicate(op.getPredicate());
  const int32_t a = number(op.getLhs()), b = number(op.getRhs());
  switch (p) {
    case P::eq: return compare(Op::equal, a, b);
    case P::ne: return compare(Op::apart, a, b);
    case P::slt: return compare(Op::less, a, b);
    case P::sle: return compare(Op::no_more, a, b);
    case P::sgt: return compare(Op::less, b, a);
    case P::sge: return compare(Op::no_more, b, a);
    case P::ult: return both(are_unsigned(a, b), compare(Op::less, a, b));
    case P::ule: return both(are_unsigned(a, b), compare(Op::no_more, a, b));
    case P::ugt: return both(are_unsigned(a, b), compare(Op::less, b, a));
    case P::uge: return both(are_unsigned(a, b), compare(Op::no_more, b, a));
  }
  return never;
}
// Read with or without a sign, they are the same numbers.
LivenessWriter::Known Conditions::are_unsigned(int32_t a, int32_t b) {
  return both(compare(Op::no_more, constant(0), a), compare(Op::no_more, constant(0), b));
}

// Of floats that hold integers.
LivenessWriter::Known Conditions::compare_reals(arith::CmpFOp op, bool holds) {
  using P = arith::CmpFPredicate;
  const std::optional<int32_t> a = whole(op.getLhs()), b = whole(op.getRhs());
  if (!a || !b) return never;
  switch (op.getPredicate()) {
    case P::OEQ: return compare(holds ? Op::equal : Op::apart, *a, *b);
    case P::UNE: return compare(holds ? Op::apart : Op::equal, *a, *b);
    case P::OLT: return holds ? compare(Op::less, *a, *b) : compare(Op::no_more, *b, *a);
    case P::OLE: return holds ? compare(Op::no_more, *a, *b) : compare(Op::less, *b, *a);
    case P::OGT: return holds ? compare(Op::less, *b, *a) : compare(Op::no_more, *a, *b);
    case P::OGE: return holds ? compare(Op::no_more, *b, *a) : compare(Op::less, *a, *b);
    default: return never;
  }
}

// The integer that a float is. One that is too large for the float is rounded, which keeps order but not ≠: an
// unknown number then.
std::optional<int32_t> Conditions::whole(Value value) {
  Operation* op = value.getDefiningOp();
  const int digits = value.getType().isF64() ? 53 : value.getType().isF32() ? 24 : 8;
  if (const std::optional<double> c = real_constant(value)) {
    if (std::floor(*c) != *c || std::fabs(*c) > std::ldexp(1, digits)) return {};
    return constant(static_cast<int64_t>(*c));
  }
  if (!llvm::isa_and_present<arith::SIToFPOp>(op) || op->getOperand(0).getType().isInteger(1)) return {};
  const int32_t x = number(op->getOperand(0));
  const int64_t most = int64_t{1} << digits;
  return choose(both(compare(Op::no_more, constant(-most), x), compare(Op::no_more, x, constant(most))), never, x,
                any(64));
}

// ---- integers ----

int32_t Conditions::number(Value value) {
  auto [known, fresh] = numbers_.try_emplace(value, 0);
  if (!fresh) return known->second;
  const int32_t found = find_number(value);
  numbers_[value] = found;
  return found;
}

int32_t Conditions::find_number(Value value) {
  const unsigned bits = bits_of(value);
  if (bits == 1) return choose(value, constant(1), constant(0));
  Operation* op = value.getDefiningOp();
  if (!op) {
    const std::optional<int32_t> load = load_of(llvm::cast<mlir::BlockArgument>(value));
    return load ? add({Op::load, 0, 0, 0, 0, *load}) : any(bits);
  }
  auto x = [&] { return number(op->getOperand(0)); };
  auto two = [&](Op by) {
    const int32_t a = x(), b = number(op->getOperand(1));
    return add({by, a, b, 0, 0, bits});
  };
  return llvm::TypeSwitch<Operation*, int32_t>(op)
      .Case([&](arith::ConstantOp c) {
        return constant(llvm::cast<mlir::IntegerAttr>(c.getValue()).getValue().getSExtValue());
      })
      .Case([&](fuse::IndexOp index) { return affine(index.getMap().getResult(0)); })
      .Case<arith::AddIOp>([&](Operation*) { return two(Op::add); })
      .Case<arith::SubIOp>([&](Operation*) { return two(Op::sub); })
      .Case<arith::MulIOp>([&](Operation*) { return two(Op::mul); })
      .Case<arith::DivSIOp>([&](Operation*) { return two(Op::div); })
      .Case<arith::RemSIOp>([&](Operation*) { return two(Op::rem); })
      .Case<arith::MinSIOp>([&](Operation*) { return two(Op::min); })
      .Case<arith::MaxSIOp>([&](Operation*) { return two(Op::max); })
      .Case<arith::AndIOp, arith::OrIOp, arith::XOrIOp>([&](Operation*) { return two(Op::bitwise); })
      .Case<arith::IndexCastOp, arith::TruncIOp>([&](Operation*) { return add({Op::fit, x(), 0, 0, 0, bits}); })
      .Case([&](arith::ExtSIOp extended) {
        Value in = extended.getIn();
        return in.getType().isInteger(1) ? choose(in, constant(-1), constant(0)) : x();
      })
      .Case([&](arith::ExtUIOp extended) {
        if (extended.getIn().getType().isInteger(1)) return x();
        const Known same = compare(Op::no_more, constant(0), x());
        return same == always ? x() : same == never ? any(bits) : choose(same, never, x(), any(bits));
      })
      .Case([&](arith::SelectOp select) {
        const int32_t a = number(select.getTrueValue()), b = number(select.getFalseValue());
        return choose(select.getCondition(), a, b);
      })
      .Default([&](Operation*) { return any(bits); });
}

int32_t Conditions::choose(Value condition, int32_t a, int32_t b) {
  return choose(fact(condition, true), fact(condition, false), a, b);
}

int32_t Conditions::affine(mlir::AffineExpr e) {
  if (auto c = llvm::dyn_cast<mlir::AffineConstantExpr>(e)) return constant(c.getValue());
  if (auto d = llvm::dyn_cast<mlir::AffineDimExpr>(e))
    return d.getPosition() < cascade_.first_rest_dim() ? add({Op::dim, 0, 0, 0, 0, d.getPosition()}) : any(64);
  auto two = llvm::cast<mlir::AffineBinaryOpExpr>(e);
  const int32_t a = affine(two.getLHS()), b = affine(two.getRHS());
  switch (e.getKind()) {
    case mlir::AffineExprKind::Add: return add({Op::add, a, b, 0, 0, 64});
    case mlir::AffineExprKind::Mul: return add({Op::mul, a, b, 0, 0, 64});
    case mlir::AffineExprKind::FloorDiv: return add({Op::div, a, b, 0, 0, 64});  // indices are never negative
    case mlir::AffineExprKind::Mod: return add({Op::rem, a, b, 0, 0, 64});
    default: return any(64);
  }
}

// ---- inputs ----

std::optional<int32_t> Conditions::load_of(mlir::BlockArgument argument) {
  const unsigned number = argument.getArgNumber();
  auto map = llvm::cast<mlir::AffineMapAttr>(cascade_.getInMaps()[number]).getValue();
  if (fuse::is_whole_tensor(map)) return {};
  Liveness::Load load;
  load.input = number;
  load.is_bool = argument.getType().isInteger(1);
  load.bytes = load.is_bool ? 1 : argument.getType().getIntOrFloatBitWidth() / 8;
  if (!add_linear(map.getResult(0), 1, load)) return {};
  return add(load);
}

bool Conditions::add_linear(mlir::AffineExpr e, int64_t factor, Liveness::Load& load) {
  if (auto c = llvm::dyn_cast<mlir::AffineConstantExpr>(e)) {
    load.offset += factor * c.getValue();
    return true;
  }
  if (auto d = llvm::dyn_cast<mlir::AffineDimExpr>(e)) {
    if (d.getPosition() >= cascade_.first_rest_dim()) return false;
    load.strides[d.getPosition()] += factor;
    return true;
  }
  auto two = llvm::cast<mlir::AffineBinaryOpExpr>(e);
  if (e.getKind() == mlir::AffineExprKind::Add)
    return add_linear(two.getLHS(), factor, load) && add_linear(two.getRHS(), factor, load);
  auto by = llvm::dyn_cast<mlir::AffineConstantExpr>(two.getRHS());
  return e.getKind() == mlir::AffineExprKind::Mul && by && add_linear(two.getLHS(), factor * by.getValue(), load);
}

}  // namespace tessera::ir
