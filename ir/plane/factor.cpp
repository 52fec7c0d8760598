#include <tessera/ir/plane/factor.h>

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/IRMapping.h"

namespace tessera::ir {

namespace arith = mlir::arith;
namespace math = mlir::math;
using mlir::Operation;
using mlir::Value;

namespace {

class FactorFinder {
 public:
  explicit FactorFinder(Algebra& algebra) : algebra_(algebra) {}

  std::optional<Factors> find(Value value) {
    if (algebra_.facts.waits(value).empty()) return Factors();
    return llvm::TypeSwitch<Operation*, std::optional<Factors>>(value.getDefiningOp())
        .Case([&](arith::MulFOp op) { return product(find(op.getLhs()), find(op.getRhs())); })
        .Case([&](arith::DivFOp op) { return quotient(op); })
        .Case<arith::AddFOp, arith::SubFOp>(
            [&](Operation* op) { return same(value, find(op->getOperand(0)), find(op->getOperand(1))); })
        .Case([&](arith::SelectOp op) -> std::optional<Factors> {
          if (real_constant(op.getTrueValue()) == 0.0) return find(op.getFalseValue());
          if (real_constant(op.getFalseValue()) == 0.0) return find(op.getTrueValue());
          return same(value, find(op.getTrueValue()), find(op.getFalseValue()));
        })
        .Case<arith::NegFOp, arith::ExtFOp, arith::TruncFOp, math::AbsFOp>(
            [&](Operation* op) { return find(op->getOperand(0)); })
        .Case([&](math::PowFOp op) {
          auto base = find(op.getLhs());
          auto all = base;
          for (int i = 1; i < static_cast<int>(real_constant(op.getRhs()).value_or(1)); ++i) all = product(all, base);
          return all;
        })
        .Case<math::ExpOp, math::Exp2Op>([&](Operation* op) { return exponential(op); })
        .Default([&](Operation*) { return none(value); });
  }

 private:
  std::optional<Factors> none(Value culprit) {
    algebra_.fail_mixed(culprit);
    return {};
  }

  static std::optional<Factors> product(std::optional<Factors> a, const std::optional<Factors>& b) {
    if (!a || !b) return {};
    for (const auto& [statistic, factor] : *b) {
      Factor& all = (*a)[statistic];
      all.natural += factor.natural;
      all.binary += factor.binary;
      for (const auto& [divisor, power] : factor.divisors) {
        auto* known = llvm::find_if(all.divisors, [&](const auto& x) { return same_value(x.first, divisor); });
        if (known == all.divisors.end()) all.divisors.emplace_back(divisor, power);
        else known->second += power;
      }
    }
    return a;
  }

  std::optional<Factors> same(Value sum, const std::optional<Factors>& a, const std::optional<Factors>& b) {
    if (!a || !b) return {};
    const bool equal = a->size() == b->size() && llvm::all_of(*a, [&](const auto& entry) {
                         auto other = b->find(entry.first);
                         return other != b->end() && other->second == entry.second;
                       });
    return equal ? a : none(sum);
  }

  std::optional<Factors> quotient(arith::DivFOp op) {
    Value divisor = op.getRhs();
    if (algebra_.facts.waits(divisor).empty()) return find(op.getLhs());
    const auto statistics = algebra_.facts.waits(divisor);
    if (!algebra_.facts.is_late(divisor) || statistics.size() != 1) return none(op.getResult());
    Factors one;
    one[statistics.front()].divisors.emplace_back(divisor, 1);
    return product(find(op.getLhs()), one);
  }

  std::optional<Factors> exponential(Operation* op) {
    auto split = split_sum(algebra_, op->getOperand(0));
    if (!split) return {};
    Factors all;
    for (const RowTerm& term : split->row) {
      bool guarded = false;
      Value statistic = behind_guard(term.value, guarded);
      if (!statistic) return none(op->getResult(0));
      Factor& factor = all[statistic.getDefiningOp()];
      (llvm::isa<math::ExpOp>(op) ? factor.natural : factor.binary) += term.factor;
    }
    return all;
  }

  Algebra& algebra_;
};

// A function of one statistic, of another value.
Value substituted(mlir::OpBuilder& b, Value of, Operation* statistic, Value by) {
  mlir::IRMapping mapping;
  mapping.map(statistic->getResult(0), by);
  auto copy = [&](auto& self, Value value) -> Value {
    if (Value known = mapping.lookupOrNull(value)) return known;
    Operation* op = value.getDefiningOp();
    for (Value operand : op->getOperands()) self(self, operand);
    return b.clone(*op, mapping)->getResult(0);
  };
  return copy(copy, of);
}

}  // namespace

std::optional<Factors> factors_of(Algebra& algebra, Value operand) { return FactorFinder(algebra).find(operand); }

fuse::RepairOp write_repair(Operation* accumulation, Operation* statistic, const Factor& factor) {
  mlir::OpBuilder b(accumulation->getContext());
  b.setInsertionPointAfter(accumulation);
  mlir::Location at = accumulation->getLoc();
  auto repair = fuse::RepairOp::create(b, at, accumulation->getResult(0), statistic->getResult(0));
  mlir::Type type = statistic->getResult(0).getType();
  mlir::Block* block = b.createBlock(&repair.getFactor(), {}, {type, type}, {at, at});
  Value old = block->getArgument(0), fresh = block->getArgument(1), all;
  auto times = [&](Value x) { all = all ? arith::MulFOp::create(b, at, all, x).getResult() : x; };
  auto number = [&](double x) -> Value { return arith::ConstantOp::create(b, at, b.getFloatAttr(type, x)); };
  // One exponent, of a difference: e^−old alone would overflow.
  auto step = [&](double c) -> Value {
    Value x = c < 0 ? arith::SubFOp::create(b, at, old, fresh) : arith::SubFOp::create(b, at, fresh, old);
    return c == -1 || c == 1 ? x : arith::MulFOp::create(b, at, x, number(std::abs(c))).getResult();
  };
  if (factor.natural != 0) times(math::ExpOp::create(b, at, step(factor.natural)));
  if (factor.binary != 0) times(math::Exp2Op::create(b, at, step(factor.binary)));
  for (const auto& [divisor, power] : factor.divisors) {
    Value ratio = arith::DivFOp::create(b, at, substituted(b, divisor, statistic, old),
                                        substituted(b, divisor, statistic, fresh));
    for (int i = 0; i < power; ++i) times(ratio);
  }
  mlir::Type sum = accumulation->getResult(0).getType();
  if (sum.getIntOrFloatBitWidth() > type.getIntOrFloatBitWidth()) all = arith::ExtFOp::create(b, at, sum, all);
  else if (sum != type) all = arith::TruncFOp::create(b, at, sum, all);
  fuse::YieldOp::create(b, at, all);
  return repair;
}

}  // namespace tessera::ir
