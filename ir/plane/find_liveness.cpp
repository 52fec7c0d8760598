#include <tessera/ir/plane/find_liveness.h>

#include <cmath>

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/AffineExpr.h"

#include <tessera/ir/fuse/body_dims.h>
#include <tessera/ir/plane/facts.h>
#include <tessera/ir/plane/liveness_writer.h>

namespace tessera::ir {
namespace {

namespace arith = mlir::arith;
namespace math = mlir::math;
using mlir::Operation;
using mlir::Value;
using Op = Liveness::Op;

// What a float may be known to be.
enum class Special { minus_infinity, zero, infinity };
Special negated(Special x) {
  if (x == Special::zero) return x;
  return x == Special::infinity ? Special::minus_infinity : Special::infinity;
}

class Finder : LivenessWriter {
 public:
  explicit Finder(fuse::CascadeOp cascade)
      : cascade_(cascade), body_(cascade.getBody().front()), dims_(body_, cascade.getInMaps()) {
    for (int64_t d = cascade.first_stream_dim(); d < cascade.first_rest_dim(); ++d) stream_ |= fuse::DimBits{1} << d;
  }

  FoundLiveness find() {
    if (cascade_.first_rest_dim() > Liveness::max_dims) return {};
    Known empty = always;
    for (Operation& op : body_) empty = both(empty, combines_nothing(op));
    for (Value value : body_.getTerminator()->getOperands())
      if (is_streamed(value)) empty = never;
    Known full = always;
    for (Operation& op : body_) full = both(full, keeps(op));
    if (conditions_.empty()) full = never;
    if (full < 0) conditions_.clear();
    return {finish(empty, full), std::move(conditions_)};
  }

 private:
  using LivenessWriter::choose;
  using LivenessWriter::compare;

  bool is_streamed(Value value) const { return (dims_.of(value) & stream_) != 0; }

  // ---- what a block does ----

  // That what `op` combines over the stream is neutral; other ops combine nothing anyway.
  Known combines_nothing(Operation& op) {
    if (auto contract = llvm::dyn_cast<fuse::ContractOp>(op))
      return is_streamed(contract.getResult()) ? Known{always} : is(contract.getLhs(), Special::zero);
    auto reduce = llvm::dyn_cast<fuse::ReduceOp>(op);
    if (!reduce) return always;
    if (!llvm::isa<mlir::FloatType>(reduce.getValue().getType())) return never;
    switch (reduce.getKind()) {
      case fuse::ReduceKind::max: return is(reduce.getValue(), Special::minus_infinity);
      case fuse::ReduceKind::min: return is(reduce.getValue(), Special::infinity);
      case fuse::ReduceKind::sum: return is(reduce.getValue(), Special::zero);
      case fuse::ReduceKind::prod: return never;
    }
    return never;
  }

  // That `op` chooses what no mask hides, if it is a choice between plane values that a block can decide.
  Known keeps(Operation& op) {
    auto select = llvm::dyn_cast<arith::SelectOp>(op);
    if (!select || !llvm::isa<mlir::FloatType>(select.getType()) || !is_streamed(select.getResult())) return always;
    const int hides = hiding(select.getTrueValue()) - hiding(select.getFalseValue());
    if (hides == 0) return always;
    const bool side = hides < 0;
    const Known known = fact(select.getCondition(), side);
    if (known == never) return always;  // stays to be evaluated
    const std::pair<Value, bool> condition{select.getCondition(), side};
    if (!llvm::is_contained(conditions_, condition)) conditions_.push_back(condition);
    return known;
  }
  // How surely a mask puts it in the place of what it hides: −∞ or −10⁹ of scores, then 0 of anything.
  static int hiding(Value value) {
    const std::optional<double> x = real_constant(value);
    return !x ? 0 : *x < -1e3 ? 2 : *x == 0 ? 1 : 0;
  }

  // ---- floats ----

  Known is(Value value, Special what) {
    auto [known, fresh] = is_.try_emplace({value, static_cast<int>(what)}, never);
    if (!fresh) return known->second;
    const Known found = find(value, what);
    is_[{value, static_cast<int>(what)}] = found;
    return found;
  }

  Known find(Value value, Special what) {
    Operation* op = value.getDefiningOp();
    if (!op) return loaded(llvm::cast<mlir::BlockArgument>(value), what);
    auto x = [&](Special of) { return is(op->getOperand(0), of); };
    auto y = [&](Special of) { return is(op->getOperand(1), of); };
    const bool zero = what == Special::zero;
    return llvm::TypeSwitch<Operation*, Known>(op)
        .Case([&](arith::ConstantOp) {
          const double c = *real_constant(value);
          const double wanted = zero ? 0 : what == Special::infinity ? HUGE_VAL : -HUGE_VAL;
          return c == wanted ? always : never;
        })
        .Case([&](arith::SelectOp select) {
          const Known a = is(select.getTrueValue(), what), b = is(select.getFalseValue(), what);
          if (a == never && b == never) return Known{never};
          return either(both(a, b), either(both(fact(select.getCondition(), true), a),
                                           both(fact(select.getCondition(), false), b)));
        })
        .Case<arith::ExtFOp, arith::TruncFOp>([&](Operation*) { return x(what); })
        .Case<arith::NegFOp>([&](Operation*) { return x(negated(what)); })
        .Case<arith::AddFOp>([&](Operation*) { return zero ? both(x(what), y(what)) : either(x(what), y(what)); })
        .Case<arith::SubFOp>(
            [&](Operation*) { return zero ? both(x(what), y(what)) : either(x(what), y(negated(what))); })
        .Case<arith::MulFOp>([&](Operation*) {
          if (zero) return either(x(what), y(what));
          return either(scaled(op->getOperand(0), op->getOperand(1), what),
                        scaled(op->getOperand(1), op->getOperand(0), what));
        })
        .Case<arith::DivFOp>([&](Operation*) {
          if (!zero) return scaled(op->getOperand(0), op->getOperand(1), what);
          return either(x(what), either(y(Special::infinity), y(Special::minus_infinity)));
        })
        .Case<arith::MaximumFOp>(
            [&](Operation*) { return what == Special::infinity ? either(x(what), y(what)) : both(x(what), y(what)); })
        .Case<arith::MinimumFOp>([&](Operation*) {
          return what == Special::minus_infinity ? either(x(what), y(what)) : both(x(what), y(what));
        })
        .Case<math::ExpOp, math::Exp2Op>([&](Operation*) {
          return what == Special::minus_infinity ? Known{never} : x(zero ? Special::minus_infinity : what);
        })
        .Case<math::AbsFOp>([&](Operation*) {
          if (what == Special::minus_infinity) return Known{never};
          return zero ? x(what) : either(x(Special::infinity), x(Special::minus_infinity));
        })
        .Case<math::TanhOp, math::ErfOp, math::SinOp, math::SqrtOp>(
            [&](Operation*) { return zero ? x(what) : Known{never}; })
        .Case<arith::SIToFPOp, arith::UIToFPOp>([&](Operation*) {
          Value in = op->getOperand(0);
          if (!zero) return Known{never};
          return in.getType().isInteger(1) ? fact(in, false) : compare(Op::equal, number(in), constant(0));
        })
        .Default([&](Operation*) { return Known{never}; });
  }

  // That x times or by a constant is `what`, an infinity.
  Known scaled(Value x, Value by, Special what) {
    const std::optional<double> c = real_constant(by);
    if (!c || *c == 0 || !std::isfinite(*c)) return never;
    return is(x, *c > 0 ? what : negated(what));
  }

  // Masks in memory that are added or multiplied.
  Known loaded(mlir::BlockArgument argument, Special what) {
    auto type = llvm::dyn_cast<mlir::FloatType>(argument.getType());
    const unsigned bits = type ? type.getIntOrFloatBitWidth() : 0;
    if (bits < 16 || what == Special::infinity) return never;
    const std::optional<int32_t> load = load_of(argument);
    if (!load) return never;
    const auto value = what == Special::zero ? llvm::APFloat::getZero(type.getFloatSemantics())
                                             : llvm::APFloat::getInf(type.getFloatSemantics(), /*Negative=*/true);
    return add({Op::all_bits, *load, what == Special::zero, 0, 0,
                static_cast<int64_t>(value.bitcastToAPInt().getZExtValue())});
  }

  // ---- bools ----

  // That `value` is `holds`.
  Known fact(Value value, bool holds) {
    auto [known, fresh] = facts_.try_emplace({value, holds}, never);
    if (!fresh) return known->second;
    const Known found = find(value, holds);
    facts_[{value, holds}] = found;
    return found;
  }

  Known find(Value value, bool holds) {
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
          if (!c.getLhs().getType().isInteger(1)) return compare(c, holds);
          if (c.getPredicate() == arith::CmpIPredicate::eq) return differ(!holds);
          return c.getPredicate() == arith::CmpIPredicate::ne ? differ(holds) : Known{never};
        })
        .Case([&](arith::CmpFOp c) { return compare(c, holds); })
        .Default([&](Operation*) { return Known{never}; });
  }

  Known compare(arith::CmpIOp op, bool holds) {
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
  Known are_unsigned(int32_t a, int32_t b) {
    return both(compare(Op::no_more, constant(0), a), compare(Op::no_more, constant(0), b));
  }

  // Of floats that hold integers.
  Known compare(arith::CmpFOp op, bool holds) {
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
  std::optional<int32_t> whole(Value value) {
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

  static unsigned bits_of(Value value) {
    return value.getType().isIndex() ? 64 : value.getType().getIntOrFloatBitWidth();
  }

  int32_t number(Value value) {
    auto [known, fresh] = numbers_.try_emplace(value, 0);
    if (!fresh) return known->second;
    const int32_t found = find(value);
    numbers_[value] = found;
    return found;
  }

  int32_t find(Value value) {
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

  int32_t choose(Value condition, int32_t a, int32_t b) {
    return choose(fact(condition, true), fact(condition, false), a, b);
  }

  int32_t affine(mlir::AffineExpr e) {
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

  std::optional<int32_t> load_of(mlir::BlockArgument argument) {
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

  bool add_linear(mlir::AffineExpr e, int64_t factor, Liveness::Load& load) {
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

  fuse::CascadeOp cascade_;
  mlir::Block& body_;
  fuse::BodyDims dims_;
  fuse::DimBits stream_ = 0;
  llvm::SmallVector<std::pair<Value, bool>, 4> conditions_;
  llvm::DenseMap<std::pair<Value, int>, Known> is_, facts_;
  llvm::DenseMap<Value, int32_t> numbers_;
};

}  // namespace

FoundLiveness find_liveness(fuse::CascadeOp cascade) { return Finder(cascade).find(); }

std::optional<BlockCount> count_blocks(fuse::CascadeOp cascade, const Liveness& blocks) {
  constexpr int64_t side = 64, most_blocks = 1 << 17;
  std::vector<Interval> block(static_cast<size_t>(cascade.first_rest_dim()));
  const auto row = static_cast<size_t>(cascade.row_dim()), column = block.size() - 1;
  const int64_t rows = cascade.getDims()[row], columns = cascade.getDims()[column];
  if (blocks.empty < 0 || !blocks.loads.empty() || rows > most_blocks * side * side / columns) return {};
  BlockCount count;
  for (int64_t m = 0; m < rows; m += side)
    for (int64_t n = 0; n < columns; n += side, ++count.all) {
      block[row] = {m, std::min(m + side, rows) - 1};
      block[column] = {n, std::min(n + side, columns) - 1};
      count.empty += state_of(blocks, block, nullptr) == BlockState::empty;
    }
  return count;
}

}  // namespace tessera::ir
