#include <tessera/ir/plane/facts.h>

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/OperationSupport.h"

#include <tessera/ir/fuse/Scatter.h>

namespace tessera::ir {

namespace arith = mlir::arith;
namespace math = mlir::math;
using fuse::DimBits;
using mlir::Operation;
using mlir::Value;

BodyFacts::BodyFacts(fuse::CascadeOp cascade) : in_maps_(cascade.getInMaps()) {
  row_ = DimBits{1} << cascade.row_dim();
  for (int64_t d = cascade.first_stream_dim(); d < cascade.first_rest_dim(); ++d) stream_ |= DimBits{1} << d;
}

bool BodyFacts::accumulates(Operation* op) const {
  if (auto reduce = llvm::dyn_cast<fuse::ReduceOp>(op)) return fuse::dim_bits(reduce.getOver()) == stream_;
  auto contract = llvm::dyn_cast<fuse::ContractOp>(op);
  return contract && fuse::dim_bits(contract.getOver()) == stream_;
}

DimBits BodyFacts::dims(Value value) {
  if (auto known = dims_.find(value); known != dims_.end()) return known->second;
  DimBits bits = 0;
  if (auto argument = llvm::dyn_cast<mlir::BlockArgument>(value)) {
    bits = fuse::dims_of(llvm::cast<mlir::AffineMapAttr>(in_maps_[argument.getArgNumber()]).getValue());
  } else {
    Operation* op = value.getDefiningOp();
    for (Value operand : op->getOperands()) bits |= dims(operand);
    if (auto index = llvm::dyn_cast<fuse::IndexOp>(op)) bits = fuse::dims_of(index.getMap());
    if (auto reduce = llvm::dyn_cast<fuse::ReduceOp>(op)) bits &= ~fuse::dim_bits(reduce.getOver());
    if (auto contract = llvm::dyn_cast<fuse::ContractOp>(op)) bits &= ~fuse::dim_bits(contract.getOver());
    if (auto sum = llvm::dyn_cast<fuse::ScatterAddOp>(op))
      bits = (bits & ~fuse::dim_bits(sum.getOver())) | DimBits{1} << sum.getDim();
  }
  return dims_[value] = bits;
}

BodyFacts::Waits BodyFacts::waits(Value value) {
  if (auto known = waits_.find(value); known != waits_.end()) return known->second;
  Waits all;
  Operation* op = value.getDefiningOp();
  if (op && accumulates(op)) {
    all.insert(op);
  } else if (op) {
    for (Value operand : op->getOperands()) {
      const Waits from = waits(operand);
      all.insert(from.begin(), from.end());
    }
    llvm::SmallVector<Operation*, 4> ordered = all.takeVector();
    llvm::sort(ordered, [](Operation* a, Operation* b) { return a->isBeforeInBlock(b); });
    all.insert(ordered.begin(), ordered.end());
  }
  return waits_[value] = std::move(all);
}

bool same_value(Value a, Value b) {
  if (a == b) return true;
  Operation *x = a.getDefiningOp(), *y = b.getDefiningOp();
  if (!x || !y || x->getNumRegions() != 0) return false;
  auto equal = [](Value p, Value q) { return mlir::success(same_value(p, q)); };
  return mlir::OperationEquivalence::isEquivalentTo(x, y, equal, nullptr, mlir::OperationEquivalence::IgnoreLocations);
}

std::optional<double> real_constant(Value value) {
  auto constant = value.getDefiningOp<arith::ConstantOp>();
  auto number = constant ? llvm::dyn_cast<mlir::FloatAttr>(constant.getValue()) : mlir::FloatAttr();
  if (!number) return {};
  return number.getValueAsDouble();
}

bool is_nonnegative(Value value) {
  if (auto number = real_constant(value)) return *number >= 0;
  Operation* op = value.getDefiningOp();
  if (!op) return false;
  return llvm::TypeSwitch<Operation*, bool>(op)
      .Case<math::ExpOp, math::Exp2Op, math::AbsFOp, math::SqrtOp, math::RsqrtOp, arith::UIToFPOp>(
          [](Operation*) { return true; })
      .Case<arith::MulFOp, arith::DivFOp>([](Operation* x) {
        Value a = x->getOperand(0), b = x->getOperand(1);
        return (a == b && llvm::isa<arith::MulFOp>(x)) || (is_nonnegative(a) && is_nonnegative(b));
      })
      .Case<arith::AddFOp, arith::MinimumFOp>(
          [](Operation* x) { return is_nonnegative(x->getOperand(0)) && is_nonnegative(x->getOperand(1)); })
      .Case([](arith::MaximumFOp x) { return is_nonnegative(x.getLhs()) || is_nonnegative(x.getRhs()); })
      .Case([](arith::SelectOp x) { return is_nonnegative(x.getTrueValue()) && is_nonnegative(x.getFalseValue()); })
      .Case<arith::ExtFOp, arith::TruncFOp>([](Operation* x) { return is_nonnegative(x->getOperand(0)); })
      .Case([](fuse::ReduceOp x) { return is_nonnegative(x.getValue()); })
      .Default([](Operation*) { return false; });
}

Value behind_guard(Value value, bool& guarded) {
  guarded = false;
  if (value.getDefiningOp<fuse::ReduceOp>()) return value;
  auto select = value.getDefiningOp<arith::SelectOp>();
  auto compare = select ? select.getCondition().getDefiningOp<arith::CmpFOp>() : arith::CmpFOp();
  if (!compare) return {};
  const bool equal = compare.getPredicate() == arith::CmpFPredicate::OEQ;
  if (!equal && compare.getPredicate() != arith::CmpFPredicate::UNE) return {};
  Value kept = equal ? select.getFalseValue() : select.getTrueValue();
  Value fill = equal ? select.getTrueValue() : select.getFalseValue();
  Value edge = compare.getLhs() == kept ? compare.getRhs() : compare.getLhs();
  auto reduce = kept.getDefiningOp<fuse::ReduceOp>();
  if (!reduce || (compare.getLhs() != kept && compare.getRhs() != kept)) return {};
  const double nothing = reduce.getKind() == fuse::ReduceKind::min ? std::numeric_limits<double>::infinity()
                                                                   : -std::numeric_limits<double>::infinity();
  if (real_constant(fill) != 0.0 || real_constant(edge) != nothing) return {};
  guarded = true;
  return kept;
}

Scaled without_scale(Value value) {
  Scaled out{value};
  while (Operation* op = out.base.getDefiningOp()) {
    if (auto negative = llvm::dyn_cast<arith::NegFOp>(op)) {
      out = {negative.getOperand(), -out.factor};
    } else if (auto product = llvm::dyn_cast<arith::MulFOp>(op)) {
      if (auto k = real_constant(product.getRhs())) out = {product.getLhs(), out.factor * *k};
      else if (auto j = real_constant(product.getLhs())) out = {product.getRhs(), out.factor * *j};
      else break;
    } else if (auto quotient = llvm::dyn_cast<arith::DivFOp>(op)) {
      auto k = real_constant(quotient.getRhs());
      if (!k) break;
      out = {quotient.getLhs(), out.factor / *k};
    } else if (auto wide = llvm::dyn_cast<arith::ExtFOp>(op)) {
      out.base = wide.getIn();
    } else {
      break;
    }
  }
  return out;
}

}  // namespace tessera::ir
