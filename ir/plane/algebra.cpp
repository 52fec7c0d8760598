#include <tessera/ir/plane/algebra.h>

#include <cmath>

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace tessera::ir {

namespace arith = mlir::arith;
using mlir::Operation;
using mlir::Value;

Value Algebra::fail(Value culprit, const std::string& why) {
  if (!obstacle) obstacle = {facts.waits(culprit).back(), why};
  return {};
}

Value Algebra::fail_mixed(Value culprit) {
  Operation* op = culprit.getDefiningOp();
  const std::string name = op->getName().getStringRef().str();
  if (llvm::isa<arith::TruncFOp>(op)) return fail(culprit, name + " rounds what waits for the statistic");
  return fail(culprit, name + " mixes the statistic with values of the stream");
}

Value Algebra::number(mlir::Type type, double x) { return arith::ConstantOp::create(b, at, b.getFloatAttr(type, x)); }

Value Algebra::widened(Value x, mlir::Type type) {
  return x.getType() == type ? x : arith::ExtFOp::create(b, at, type, x).getResult();
}

namespace {

class SumSplitter {
 public:
  explicit SumSplitter(Algebra& algebra) : algebra_(algebra) {}

  std::optional<SplitSum> split(Value value) {
    BodyFacts& facts = algebra_.facts;
    if (!facts.is_streamed(value)) return split_row(value);
    if (facts.waits(value).empty()) return SplitSum{value, {}};
    Operation* op = value.getDefiningOp();
    if (llvm::isa<arith::AddFOp, arith::SubFOp>(op)) return sum(op);
    if (llvm::isa<arith::MulFOp, arith::DivFOp>(op)) return scaled(op);
    if (auto negative = llvm::dyn_cast<arith::NegFOp>(op)) {
      auto x = split(negative.getOperand());
      if (!x) return {};
      for (RowTerm& term : x->row) term.factor = -term.factor;
      if (x->streamed) x->streamed = arith::NegFOp::create(algebra_.b, algebra_.at, x->streamed);
      return x;
    }
    if (auto wide = llvm::dyn_cast<arith::ExtFOp>(op)) {
      auto x = split(wide.getIn());
      if (!x) return {};
      for (RowTerm& term : x->row) term.value = algebra_.widened(term.value, wide.getType());
      x->streamed = algebra_.widened(x->streamed, wide.getType());
      return x;
    }
    if (auto select = llvm::dyn_cast<arith::SelectOp>(op)) return masked(select);
    algebra_.fail_mixed(value);
    return {};
  }

 private:
  std::optional<SplitSum> split_row(Value value) {
    SplitSum out;
    Operation* op = value.getDefiningOp();
    auto both = [&](double sign) {
      auto x = split_row(op->getOperand(0)), y = split_row(op->getOperand(1));
      for (RowTerm& term : y->row) term.factor *= sign;
      x->row.append(y->row);
      return x;
    };
    if (llvm::isa_and_nonnull<arith::AddFOp>(op)) return both(1);
    if (llvm::isa_and_nonnull<arith::SubFOp>(op)) return both(-1);
    Scaled scaled = without_scale(value);
    if (scaled.base.getType() != value.getType()) scaled = {value};
    if (scaled.base != value) {
      auto x = split_row(scaled.base);
      for (RowTerm& term : x->row) term.factor *= scaled.factor;
      return x;
    }
    out.row.push_back({1, value});
    return out;
  }

  std::optional<SplitSum> sum(Operation* op) {
    auto x = split(op->getOperand(0)), y = split(op->getOperand(1));
    if (!x || !y) return {};
    const bool minus = llvm::isa<arith::SubFOp>(op);
    if (minus)
      for (RowTerm& term : y->row) term.factor = -term.factor;
    x->row.append(y->row);
    mlir::OpBuilder& b = algebra_.b;
    if (x->streamed && y->streamed)
      x->streamed = minus ? arith::SubFOp::create(b, algebra_.at, x->streamed, y->streamed).getResult()
                          : arith::AddFOp::create(b, algebra_.at, x->streamed, y->streamed).getResult();
    else if (y->streamed)
      x->streamed = minus ? arith::NegFOp::create(b, algebra_.at, y->streamed).getResult() : y->streamed;
    return x;
  }

  // A sum times, or divided by, a value of the row that waits for nothing.
  std::optional<SplitSum> scaled(Operation* op) {
    Value a = op->getOperand(0), k = op->getOperand(1);
    BodyFacts& facts = algebra_.facts;
    auto is_scale = [&](Value v) { return !facts.is_streamed(v) && facts.waits(v).empty(); };
    const bool divides = llvm::isa<arith::DivFOp>(op);
    if (!is_scale(k) && !divides && is_scale(a)) std::swap(a, k);
    if (!is_scale(k)) {
      algebra_.fail_mixed(op->getResult(0));
      return {};
    }
    auto x = split(a);
    if (!x) return {};
    auto times = [&](Value v) -> Value {
      return divides ? arith::DivFOp::create(algebra_.b, algebra_.at, v, k).getResult()
                     : arith::MulFOp::create(algebra_.b, algebra_.at, v, k).getResult();
    };
    x->streamed = times(x->streamed);
    for (RowTerm& term : x->row) {
      if (auto number = real_constant(k)) term.factor = divides ? term.factor / *number : term.factor * *number;
      else term.value = times(term.value);
    }
    return x;
  }

  // c ? x + r : −∞ is (c ? x : −∞) + r
  std::optional<SplitSum> masked(arith::SelectOp op) {
    auto infinite = [](Value v) {
      auto number = real_constant(v);
      return number && std::isinf(*number);
    };
    const bool first = infinite(op.getTrueValue()), second = infinite(op.getFalseValue());
    if (first == second || !algebra_.facts.waits(op.getCondition()).empty()) {
      algebra_.fail_mixed(op.getResult());
      return {};
    }
    auto x = split(first ? op.getFalseValue() : op.getTrueValue());
    if (!x) return {};
    if (!x->streamed) x->streamed = algebra_.number(op.getType(), 0);
    x->streamed =
        arith::SelectOp::create(algebra_.b, algebra_.at, op.getCondition(), first ? op.getTrueValue() : x->streamed,
                                first ? x->streamed : op.getFalseValue());
    return x;
  }

  Algebra& algebra_;
};

}  // namespace

std::optional<SplitSum> split_sum(Algebra& algebra, Value value) { return SumSplitter(algebra).split(value); }

Value sum_of(Algebra& algebra, llvm::ArrayRef<RowTerm> terms, mlir::Type type) {
  Value sum;
  for (const RowTerm& term : terms) {
    Value x = algebra.widened(term.value, type);
    const bool minus = sum && term.factor == -1;
    if (term.factor != 1 && !minus)
      x = arith::MulFOp::create(algebra.b, algebra.at, x, algebra.number(type, term.factor));
    if (!sum) sum = x;
    else if (minus) sum = arith::SubFOp::create(algebra.b, algebra.at, sum, x);
    else sum = arith::AddFOp::create(algebra.b, algebra.at, sum, x);
  }
  return sum;
}

}  // namespace tessera::ir
