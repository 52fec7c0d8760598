#include <tessera/codegen/cuda/rows/tanh_text.h>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <tessera/codegen/cuda/rows/spelling.h>

namespace tessera::cuda {

using namespace mlir;

namespace {

bool is_one(Value value) {
  auto op = value.getDefiningOp<arith::ConstantOp>();
  auto number = op ? dyn_cast<FloatAttr>(op.getValue()) : FloatAttr();
  return number && number.getValueAsDouble() == 1;
}

// tanh z of 1 + tanh z; null for others.
Value in_sum(Operation* op) {
  auto sum = dyn_cast<arith::AddFOp>(op);
  if (!sum) return {};
  return is_one(sum.getLhs()) ? sum.getRhs() : is_one(sum.getRhs()) ? sum.getLhs() : Value();
}

// tanh z of 1 − tanh z · tanh z; null for others.
Value in_difference(Operation* op) {
  auto difference = dyn_cast<arith::SubFOp>(op);
  if (!difference || !is_one(difference.getLhs())) return {};
  auto square = difference.getRhs().getDefiningOp<arith::MulFOp>();
  return square && square.getLhs() == square.getRhs() ? square.getLhs() : Value();
}

}  // namespace

bool is_read_as_sigmoid(Operation* op) {
  auto tanh = dyn_cast<math::TanhOp>(op);
  if (!tanh || !tanh.getType().isF32()) return false;
  if (const std::optional<bool> said = is_spelled_short(op)) return *said;
  return llvm::all_of(tanh->getUsers(), [&](Operation* user) {
    if (in_sum(user) == tanh.getResult()) return true;
    return isa<arith::MulFOp>(user) && llvm::all_of(user->getUsers(), [&](Operation* of_square) {
             return in_difference(of_square) == tanh.getResult();
           });
  });
}

std::optional<std::string> text_by_sigmoid(Operation* op, const std::function<std::string(Value)>& name_of) {
  if (is_read_as_sigmoid(op)) return "sigmoid(2.f * " + name_of(op->getOperand(0)) + ")";
  auto reads = [](Value value) { return value && value.getDefiningOp() && is_read_as_sigmoid(value.getDefiningOp()); };
  if (const Value tanh = in_sum(op); reads(tanh)) return "2.f * " + name_of(tanh);
  if (const Value tanh = in_difference(op); reads(tanh)) {
    const std::string s = name_of(tanh);
    return "4.f * " + s + " * rest_of_sigmoid(2.f * " + name_of(tanh.getDefiningOp()->getOperand(0)) + ", " + s + ")";
  }
  return std::nullopt;
}

}  // namespace tessera::cuda
