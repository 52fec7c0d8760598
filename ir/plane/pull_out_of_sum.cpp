#include <cmath>
#include <limits>

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <tessera/ir/plane/pull_out.h>

namespace tessera::ir {

namespace arith = mlir::arith;
namespace math = mlir::math;
using mlir::Operation;
using mlir::Value;

namespace {

using Steps = llvm::SmallVector<Step, 2>;

bool is_zero(Value value) { return real_constant(value) == 0.0; }

int small_power(math::PowFOp op) {
  const double k = real_constant(op.getRhs()).value_or(0);
  return k == std::floor(k) && k >= 1 && k <= 8 ? static_cast<int>(k) : 0;
}

bool same_steps(const Steps& a, const Steps& b) {
  return a.size() == b.size() && llvm::all_of(llvm::zip(a, b), [](auto pair) {
           auto& [x, y] = pair;
           return x.kind == y.kind && same_value(x.by, y.by);
         });
}

class SumPuller {
 public:
  SumPuller(Algebra& algebra, mlir::DenseI64ArrayAttr over) : algebra_(algebra), facts_(algebra.facts), over_(over) {}

  std::optional<PulledOut> run(Value operand) {
    count_divisors(operand, 1);
    PulledOut out;
    out.operand = strip(operand, out.after);
    if (out.operand && !facts_.is_plane(out.operand))
      out.operand = algebra_.fail(operand, "leaves nothing of the plane to accumulate");
    if (!out.operand) return {};
    return out;
  }

 private:
  // The powers to which the largest |x| divides x itself: from 2 on, x² could overflow where (x / max |x|)² does not.
  void count_divisors(Value value, int power) {
    Operation* op = value.getDefiningOp();
    if (!op || facts_.waits(value).empty()) return;
    llvm::TypeSwitch<Operation*>(op)
        .Case<arith::MulFOp, arith::SelectOp>([&](Operation*) {
          for (Value operand : op->getOperands()) count_divisors(operand, power);
        })
        .Case<arith::NegFOp, arith::ExtFOp, arith::TruncFOp, math::AbsFOp>(
            [&](Operation*) { count_divisors(op->getOperand(0), power); })
        .Case([&](math::PowFOp pow) { count_divisors(pow.getLhs(), power * small_power(pow)); })
        .Case([&](arith::DivFOp quotient) {
          count_divisors(quotient.getLhs(), power);
          if (Value largest = largest_size(quotient.getRhs()); largest && bounds(largest, quotient.getLhs()))
            divisors_[quotient.getRhs()] += power;
        });
  }

  // A for A = max |x| itself, for max(A, ε), A + ε, and for `A = 0 ? c : A`.
  static Value largest_size(Value value) {
    Operation* op = value.getDefiningOp();
    if (auto select = llvm::dyn_cast_if_present<arith::SelectOp>(op)) {
      auto compare = select.getCondition().getDefiningOp<arith::CmpFOp>();
      const bool guards = compare && compare.getPredicate() == arith::CmpFPredicate::OEQ &&
                          compare.getLhs() == select.getFalseValue() && is_zero(compare.getRhs());
      return guards ? largest_size(select.getFalseValue()) : Value();
    }
    if (llvm::isa_and_present<arith::MaximumFOp, arith::AddFOp>(op)) {
      auto least = real_constant(op->getOperand(1));
      return least && *least > 0 ? largest_size(op->getOperand(0)) : Value();
    }
    auto reduce = llvm::dyn_cast_if_present<fuse::ReduceOp>(op);
    const bool is_size =
        reduce && reduce.getKind() == fuse::ReduceKind::max && reduce.getValue().getDefiningOp<math::AbsFOp>();
    return is_size ? value : Value();
  }

  static bool bounds(Value largest, Value x) {
    Value sizes = largest.getDefiningOp<fuse::ReduceOp>().getValue();
    if (auto size = x.getDefiningOp<math::AbsFOp>()) x = size.getOperand();
    return same_value(without_scale(x).base, without_scale(sizes.getDefiningOp<math::AbsFOp>().getOperand()).base);
  }

  // `value` without its late factors, which go to `steps`.
  Value strip(Value value, Steps& steps) {
    if (facts_.waits(value).empty()) return value;
    return llvm::TypeSwitch<Operation*, Value>(value.getDefiningOp())
        .Case([&](arith::MulFOp op) { return product(op, steps); })
        .Case([&](arith::DivFOp op) { return quotient(op, steps); })
        .Case([&](arith::SelectOp op) { return choice(op, steps); })
        .Case<arith::AddFOp, arith::SubFOp>([&](Operation* op) { return sum(op, steps); })
        .Case<math::ExpOp, math::Exp2Op>([&](Operation* op) { return exponential(op, op->getOperand(0), steps); })
        .Case<arith::NegFOp, arith::ExtFOp>([&](Operation* op) { return again(op, {strip(op->getOperand(0), steps)}); })
        .Case([&](arith::TruncFOp op) { return rounded(op, steps); })
        .Case([&](math::AbsFOp op) -> Value {
          Steps inner;
          Value x = strip(op.getOperand(), inner);
          for (Step& step : inner) step.by = math::AbsFOp::create(algebra_.b, algebra_.at, step.by);
          steps.append(inner);
          return again(op, {x});
        })
        .Case([&](math::PowFOp op) -> Value {
          const int power = small_power(op);
          if (power == 0) return algebra_.fail_mixed(value);
          Steps inner;
          Value x = strip(op.getLhs(), inner);
          for (int i = 0; i < power; ++i) steps.append(inner);
          return again(op, {x, op.getRhs()});
        })
        .Default([&](Operation*) { return algebra_.fail_mixed(value); });
  }

  // `op` of other operands; op itself if they are the ones it has, null if one is null.
  Value again(Operation* op, llvm::ArrayRef<Value> operands) {
    if (llvm::is_contained(operands, Value())) return {};
    if (llvm::equal(op->getOperands(), operands)) return op->getResult(0);
    Operation* copy = algebra_.b.clone(*op);
    copy->setOperands(operands);
    return copy->getResult(0);
  }

  // Rounding is relative, so a factor may as well come after it. What it leaves must fit into the narrower type: that of
  // bf16 has the range of f32, others hold weights.
  Value rounded(arith::TruncFOp op, Steps& steps) {
    auto range = [](mlir::Type type) {
      return llvm::APFloat::semanticsMaxExponent(llvm::cast<mlir::FloatType>(type).getFloatSemantics());
    };
    Value x = strip(op.getIn(), steps);
    if (x && range(op.getType()) < range(x.getType()) && !is_weight(x)) return algebra_.fail_mixed(op.getResult());
    return again(op, {x});
  }
  // 0, or exp(c (x − M)), which exponential() left.
  static bool is_weight(Value x) {
    if (auto select = x.getDefiningOp<arith::SelectOp>())
      return is_weight(select.getTrueValue()) && is_weight(select.getFalseValue());
    return is_zero(x) || llvm::isa_and_present<math::ExpOp, math::Exp2Op>(x.getDefiningOp());
  }

  Value product(arith::MulFOp op, Steps& steps) {
    for (auto [late, other] : {std::pair{op.getLhs(), op.getRhs()}, std::pair{op.getRhs(), op.getLhs()}})
      if (facts_.is_late(late)) {
        steps.push_back({Step::Kind::times, late});
        return strip(other, steps);
      }
    Value a = strip(op.getLhs(), steps);
    return a ? again(op, {a, strip(op.getRhs(), steps)}) : Value();
  }

  Value quotient(arith::DivFOp op, Steps& steps) {
    Value a = op.getLhs(), b = op.getRhs();
    if (facts_.is_late(b)) {
      if (auto power = divisors_.find(b); power != divisors_.end() && power->second >= 2) return scaled(op, steps);
      Value x = strip(a, steps);
      steps.push_back({Step::Kind::over, b});
      return x;
    }
    if (!facts_.waits(b).empty()) {  // x / eᵘ = x · e⁻ᵘ
      Operation* exp = b.getDefiningOp();
      if (!llvm::isa<math::ExpOp, math::Exp2Op>(exp)) return algebra_.fail_mixed(op.getResult());
      Value up = arith::NegFOp::create(algebra_.b, algebra_.at, exp->getOperand(0));
      Value x = facts_.is_late(a) ? algebra_.number(op.getType(), 1) : strip(a, steps);
      if (facts_.is_late(a)) steps.push_back({Step::Kind::times, a});
      Value e = x ? exponential(exp, up, steps) : Value();
      return e ? arith::MulFOp::create(algebra_.b, algebra_.at, x, e).getResult() : Value();
    }
    if (facts_.is_late(a)) {
      steps.push_back({Step::Kind::times, a});
      return again(op, {algebra_.number(op.getType(), 1), b});
    }
    return again(op, {strip(a, steps), b});
  }

  // x / A with A = max |x| stays, but for an A that is 0: 0 / 0 of a part must not spoil the whole.
  Value scaled(arith::DivFOp op, Steps& steps) {
    Value divisor = op.getRhs();
    if (!llvm::isa<arith::MaximumFOp, arith::AddFOp>(divisor.getDefiningOp())) {
      const auto& semantics = llvm::cast<mlir::FloatType>(op.getType()).getFloatSemantics();
      Value least = algebra_.number(op.getType(), llvm::APFloat::getSmallestNormalized(semantics).convertToDouble());
      Value safe = arith::MaximumFOp::create(algebra_.b, algebra_.at, largest_size(divisor), least);
      steps.push_back({Step::Kind::times, arith::DivFOp::create(algebra_.b, algebra_.at, safe, divisor)});
      divisor = safe;
    }
    return again(op, {strip(op.getLhs(), steps), divisor});
  }

  Value choice(arith::SelectOp op, Steps& steps) {
    if (!facts_.waits(op.getCondition()).empty()) return algebra_.fail_mixed(op.getResult());
    Steps first, second;
    Value a = branch(op.getTrueValue(), first), b = a ? branch(op.getFalseValue(), second) : Value();
    if (!b) return {};
    // 0 has every factor.
    if (!is_zero(a) && !is_zero(b) && !same_steps(first, second)) return algebra_.fail_mixed(op.getResult());
    steps.append(is_zero(a) ? second : first);
    return again(op, {op.getCondition(), a, b});
  }
  Value branch(Value value, Steps& steps) {
    if (!facts_.is_late(value)) return strip(value, steps);
    steps.push_back({Step::Kind::times, value});
    return algebra_.number(value.getType(), 1);
  }

  Value sum(Operation* op, Steps& steps) {
    Steps first, second;
    Value a = branch(op->getOperand(0), first), b = a ? branch(op->getOperand(1), second) : Value();
    if (!b) return {};
    if (!same_steps(first, second)) return algebra_.fail_mixed(op->getResult(0));
    steps.append(first);
    return again(op, {a, b});
  }

  // ---- exp(x + r) = exp(c (y − M)) · exp(c M + r), with x = c y and M the largest y ----

  struct Shift {
    Value largest;
    double factor = 0;  // −c
    bool guarded = false;
  };

  Value exponential(Operation* op, Value exponent, Steps& steps) {
    auto split = split_sum(algebra_, exponent);
    if (!split) return {};
    std::optional<Shift> shift;
    llvm::SmallVector<RowTerm, 4> rest;
    for (const RowTerm& term : split->row) {
      bool guarded = false;
      Value largest = shift ? Value() : behind_guard(term.value, guarded);
      if (!largest || !is_largest(largest, split->streamed, term.factor)) {
        rest.push_back(term);
        continue;
      }
      shift = {largest, term.factor, guarded};
      if (!guarded) rest.push_back(term);
    }
    const bool as_it_is = shift && shift->guarded && rest.empty() && exponent == op->getOperand(0);
    if (as_it_is) return op->getResult(0);
    if (!shift) shift = largest_of(op->getResult(0), split->streamed);
    if (!shift) return {};
    // Where M = −∞, M − M is NaN as it was.
    if (!shift->guarded) rest.insert(rest.begin(), {-shift->factor, shift->largest});
    mlir::Type type = exponent.getType();
    RowTerm by{-shift->factor, guard(shift->largest)};
    Value inner = arith::SubFOp::create(algebra_.b, algebra_.at, split->streamed, sum_of(algebra_, by, type));
    if (!rest.empty()) steps.push_back({Step::Kind::times, again(op, {sum_of(algebra_, rest, type)})});
    return again(op, {inner});
  }

  // factor · M + x ≤ 0 for every x of the stream, but for rounding.
  static bool is_largest(Value statistic, Value x, double factor) {
    auto reduce = statistic.getDefiningOp<fuse::ReduceOp>();
    const bool is_max = reduce.getKind() == fuse::ReduceKind::max, is_min = reduce.getKind() == fuse::ReduceKind::min;
    if (!(is_max && factor < 0) && !(is_min && factor > 0)) return false;
    const Scaled of = without_scale(reduce.getValue()), exponent = without_scale(x);
    return same_value(of.base, exponent.base) &&
           std::fabs(exponent.factor + factor * of.factor) <= 1e-5 * std::fabs(exponent.factor);
  }

  // A statistic of the body, or a new one.
  std::optional<Shift> largest_of(Value culprit, Value x) {
    const Scaled exponent = without_scale(x);
    Operation* end = &*algebra_.b.getInsertionPoint();
    for (auto reduce : end->getBlock()->getOps<fuse::ReduceOp>()) {
      if (!reduce->isBeforeInBlock(end)) break;
      const Scaled of = without_scale(reduce.getValue());
      const double factor = -exponent.factor / of.factor;
      if (std::isfinite(factor) && is_largest(reduce, x, factor)) return Shift{reduce, factor, false};
    }
    if (!facts_.is_plane(x)) {
      algebra_.fail(culprit, "leaves nothing of the plane to accumulate");
      return {};
    }
    auto kind = fuse::ReduceKindAttr::get(algebra_.b.getContext(), fuse::ReduceKind::max);
    return Shift{fuse::ReduceOp::create(algebra_.b, algebra_.at, x.getType(), kind, x, over_), -1, false};
  }

  Value guard(Value largest) {
    auto reduce = largest.getDefiningOp<fuse::ReduceOp>();
    const double nothing = std::numeric_limits<double>::infinity();
    mlir::Type type = largest.getType();
    Value edge = algebra_.number(type, reduce.getKind() == fuse::ReduceKind::min ? nothing : -nothing);
    Value is_nothing = arith::CmpFOp::create(algebra_.b, algebra_.at, arith::CmpFPredicate::OEQ, largest, edge);
    return arith::SelectOp::create(algebra_.b, algebra_.at, is_nothing, algebra_.number(type, 0), largest);
  }

  Algebra& algebra_;
  BodyFacts& facts_;
  mlir::DenseI64ArrayAttr over_;
  llvm::MapVector<Value, int> divisors_;
};

}  // namespace

std::optional<PulledOut> pull_out_of_sum(Algebra& algebra, Value operand, mlir::DenseI64ArrayAttr over) {
  return SumPuller(algebra, over).run(operand);
}

Value apply(Algebra& algebra, llvm::ArrayRef<Step> steps, Value accumulated) {
  mlir::OpBuilder& b = algebra.b;
  Value x = accumulated;
  for (const Step& step : steps) {
    if (step.by && step.by.getType().getIntOrFloatBitWidth() > x.getType().getIntOrFloatBitWidth())
      x = algebra.widened(x, step.by.getType());
    Value by = step.by ? algebra.widened(step.by, x.getType()) : Value();
    switch (step.kind) {
      case Step::Kind::times: x = arith::MulFOp::create(b, algebra.at, x, by); break;
      case Step::Kind::over: x = arith::DivFOp::create(b, algebra.at, x, by); break;
      case Step::Kind::plus: x = arith::AddFOp::create(b, algebra.at, x, by); break;
      case Step::Kind::increasing: {
        Operation* copy = b.clone(*step.op);
        copy->setOperand(0, x);
        x = copy->getResult(0);
      }
    }
  }
  if (x.getType() != accumulated.getType()) x = arith::TruncFOp::create(b, algebra.at, accumulated.getType(), x);
  return x;
}

}  // namespace tessera::ir
