#include <tessera/codegen/cuda/print/expressions.h>

#include <cmath>

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <fmt/format.h>

#include <tessera/codegen/cuda/print/sign_of.h>
#include <tessera/codegen/cuda/tile/Tile.h>

namespace tessera::cuda {
namespace {

std::string literal(mlir::Attribute value) {
  if (auto integer = llvm::dyn_cast<mlir::IntegerAttr>(value)) {
    if (integer.getType().isInteger(1)) return integer.getValue().isZero() ? "false" : "true";
    return fmt::format("{}", integer.getInt());
  }
  const auto x = static_cast<float>(llvm::cast<mlir::FloatAttr>(value).getValueAsDouble());
  if (std::isinf(x)) return x < 0 ? "-infinity" : "infinity";
  std::string digits = fmt::format("{}", x);
  return digits + (digits.find_first_of(".e") == std::string::npos ? ".f" : "f");
}

Binding next(Binding binding) { return static_cast<Binding>(static_cast<int>(binding) + 1); }

}  // namespace

std::string name_of(mlir::Location location) {
  auto name = llvm::dyn_cast<mlir::NameLoc>(location);
  return name ? name.getName().str() : "";
}

std::string Expressions::of(mlir::Value value, Binding around) {
  if (auto found = named_.find(value); found != named_.end()) return found->second;
  Expression e = spell(value);
  return e.binding < around ? "(" + e.text + ")" : e.text;
}

// Left-associative: what stands on the right must bind tighter.
Expression Expressions::binary(mlir::Operation& op, const char* sign, Binding binding) {
  return {of(op.getOperand(0), binding) + " " + sign + " " + of(op.getOperand(1), next(binding)), binding};
}

std::string Expressions::call(const char* function, mlir::ValueRange operands) {
  std::string text = std::string(function) + "(";
  for (auto [i, operand] : llvm::enumerate(operands)) text += (i ? ", " : "") + of(operand);
  return text + ")";
}

Expression Expressions::spell(mlir::Value value) {
  mlir::Operation* op = value.getDefiningOp();
  if (!op) {
    failed_ = value;
    return {"?"};
  }
  using namespace mlir;
  const bool is_row = llvm::isa<tile::RowwiseOp>(op->getParentOp());
  return llvm::TypeSwitch<Operation*, Expression>(op)
      .Case([&](arith::ConstantOp c) { return Expression{literal(c.getValue())}; })
      .Case<arith::AddIOp, arith::AddFOp>([&](auto o) { return binary(*o, "+", Binding::sum); })
      .Case<arith::SubIOp, arith::SubFOp>([&](auto o) { return binary(*o, "-", Binding::sum); })
      .Case<arith::MulIOp, arith::MulFOp>([&](auto o) { return binary(*o, "*", Binding::product); })
      .Case<arith::DivSIOp, arith::DivFOp>([&](auto o) { return binary(*o, "/", Binding::product); })
      .Case([&](arith::RemSIOp o) { return binary(*o, "%", Binding::product); })
      .Case([&](arith::CmpIOp o) { return binary(*o, sign_of(o.getPredicate()), Binding::relation); })
      .Case([&](arith::AndIOp o) { return binary(*o, "&&", Binding::logic); })
      .Case([&](arith::NegFOp o) { return Expression{"-" + of(o.getOperand(), Binding::primary)}; })
      .Case([&](arith::MinSIOp o) { return Expression{call("min", o->getOperands())}; })
      .Case([&](arith::MaxSIOp o) { return Expression{call("max", o->getOperands())}; })
      .Case([&](arith::MaximumFOp o) { return Expression{call(is_row ? "max" : "fmaxf", o->getOperands())}; })
      .Case([&](math::Exp2Op o) { return Expression{call("exp2", o->getOperands())}; })
      .Case([&](math::Log2Op o) { return Expression{call("log2", o->getOperands())}; })
      .Case([&](math::FmaOp o) { return Expression{call("__fmaf_rn", o->getOperands())}; })
      .Case([&](arith::SelectOp o) {
        return Expression{of(o.getCondition(), Binding::logic) + " ? " + of(o.getTrueValue(), Binding::logic) + " : " +
                              of(o.getFalseValue(), Binding::choice),
                          Binding::choice};
      })
      .Case([&](tile::ClusterRankOp) { return Expression{"cluster_rank()"}; })
      .Case([&](tile::ClusterIndexOp o) {
        const uint64_t size = o->getParentOfType<tile::KernelOp>().getCluster();
        return size == 1 ? Expression{"blockIdx.x"}
                         : Expression{fmt::format("blockIdx.x / {}", size), Binding::product};
      })
      .Case([&](tile::AtOp o) { return Expression{of(o.getArray(), Binding::primary) + "[" + of(o.getIndex()) + "]"}; })
      .Case([&](tile::RowsOp o) {
        return Expression{
            fmt::format("rows<{}>({}, {})", tile::rows(o.getResult().getType()), of(o.getTile()), of(o.getFirst()))};
      })
      .Case([&](tile::ColumnsOp o) {
        return Expression{fmt::format("columns<{}>({}, {})", tile::columns(o.getResult().getType()), of(o.getTile()),
                                      of(o.getFirst()))};
      })
      .Case([&](tile::RoundOp o) { return Expression{of(o.getValue(), Binding::primary) + ".to_bf16()"}; })
      .Case([&](tile::RowMaxOp o) { return Expression{of(o.getValue(), Binding::primary) + ".row_max()"}; })
      .Case([&](tile::LaneSumOp o) { return Expression{of(o.getValue(), Binding::primary) + ".lane_sum()"}; })
      .Case([&](tile::SumOfLanesOp o) { return Expression{call("sum_of_lanes", o->getOperands())}; })
      .Case([&](tile::FiniteOrZeroOp o) { return Expression{call("finite_or_zero", o->getOperands())}; })
      .Case([&](tile::ReciprocalOrZeroOp o) { return Expression{call("reciprocal_or_zero", o->getOperands())}; })
      .Case([&](tile::RowwiseOp o) {
        // A row's arithmetic is written as that of its values: the header gives rows the same operators.
        Block& body = o.getBody().front();
        Value result = llvm::cast<tile::YieldOp>(body.getTerminator()).getValue();
        for (auto [argument, row] : llvm::zip(body.getArguments(), o.getRows())) {
          if (named_.contains(argument)) continue;
          Expression e = named_.contains(row) ? Expression{named_[row]} : spell(row);
          named_[argument] = e.binding < Binding::primary ? "(" + e.text + ")" : e.text;
        }
        return spell(result);
      })
      .Default([&](Operation*) {
        failed_ = value;
        return Expression{"?"};
      });
}

}  // namespace tessera::cuda
