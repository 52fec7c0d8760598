#include <cmath>

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

// Rounding is increasing, so what leaves gives the same bits as what stayed, save a sum of three terms.
class OrderPuller {
 public:
  explicit OrderPuller(Algebra& algebra) : algebra_(algebra), facts_(algebra.facts) {}

  std::optional<PulledOut> run(Value operand) {
    out_.operand = within(operand);
    if (out_.operand && !facts_.is_plane(out_.operand))
      out_.operand = algebra_.fail(operand, "leaves nothing of the plane to compare");
    if (!out_.operand) return {};
    std::reverse(out_.after.begin(), out_.after.end());  // outermost last
    return out_;
  }

 private:
  // What is left of `value`; the steps are found from the outermost inwards.
  Value within(Value value) {
    if (facts_.waits(value).empty()) return value;
    return llvm::TypeSwitch<Operation*, Value>(value.getDefiningOp())
        .Case<arith::AddFOp, arith::SubFOp, arith::SelectOp>([&](Operation* op) { return terms(op->getResult(0)); })
        .Case<arith::MulFOp, arith::DivFOp>([&](Operation* op) { return scaled(op); })
        .Case([&](arith::NegFOp op) {
          out_.flips = !out_.flips;
          return increasing(op);
        })
        .Case<math::ExpOp, math::Exp2Op, math::LogOp, math::SqrtOp, math::TanhOp, arith::ExtFOp, arith::TruncFOp>(
            [&](Operation* op) { return increasing(op); })
        .Default([&](Operation*) { return algebra_.fail_mixed(value); });
  }

  Value increasing(Operation* op) {  // also −x, once the order is turned
    out_.after.push_back({Step::Kind::increasing, {}, op});
    return within(op->getOperand(0));
  }

  Value terms(Value value) {
    auto split = split_sum(algebra_, value);
    if (!split) return {};
    out_.after.push_back({Step::Kind::plus, sum_of(algebra_, split->row, value.getType())});
    return split->streamed;
  }

  Value scaled(Operation* op) {
    Value a = op->getOperand(0), k = op->getOperand(1);
    const bool divides = llvm::isa<arith::DivFOp>(op);
    if (facts_.is_streamed(k) && !divides) std::swap(a, k);
    if (facts_.is_streamed(k) || !facts_.is_streamed(a)) return algebra_.fail_mixed(op->getResult(0));
    auto number = real_constant(k);
    const bool falls = number && *number < 0;
    if (!falls && !is_nonnegative(k))
      return algebra_.fail(op->getResult(0), "may turn the order around: the sign of a factor is unknown");
    out_.flips = out_.flips != falls;
    out_.after.push_back({divides ? Step::Kind::over : Step::Kind::times, k});
    return within(a);
  }

  Algebra& algebra_;
  BodyFacts& facts_;
  PulledOut out_;
};

}  // namespace

std::optional<PulledOut> pull_out_of_order(Algebra& algebra, Value operand) {
  return OrderPuller(algebra).run(operand);
}

}  // namespace tessera::ir
