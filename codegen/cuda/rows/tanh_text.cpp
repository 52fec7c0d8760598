#include <tessera/codegen/cuda/rows/tanh_text.h>

#include "mlir/Dialect/Arith/IR/Arith.h"

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

std::optional<TanhReaders> readers_by_sigmoid(math::TanhOp tanh) {
  TanhReaders readers;
  for (Operation* user : tanh->getUsers()) {
    if (in_sum(user) == tanh.getResult()) {
      readers.sums.push_back(user);
      continue;
    }
    if (!isa<arith::MulFOp>(user)) return std::nullopt;
    for (Operation* of_square : user->getUsers()) {
      if (in_difference(of_square) != tanh.getResult()) return std::nullopt;
      if (!llvm::is_contained(readers.differences, of_square))
        readers.differences.push_back(of_square);  // t · t reads t twice
    }
  }
  return readers;
}

Value tanh_read_by(Operation* op) {
  Value read = in_sum(op);
  if (!read) read = in_difference(op);
  return read && read.getDefiningOp<math::TanhOp>() ? read : Value();
}

bool is_read_as_sigmoid(Operation* op) {
  auto tanh = dyn_cast<math::TanhOp>(op);
  if (!tanh || !tanh.getType().isF32()) return false;
  if (const std::optional<bool> said = is_spelled_short(op)) return *said;
  return readers_by_sigmoid(tanh).has_value();
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
