#include <tessera/codegen/cuda/rows/reductions.h>

#include <algorithm>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"

#include <tessera/ir/fuse/body_dims.h>

namespace tessera::cuda {

namespace arith = mlir::arith;

namespace {

void join_nested(fuse::KernelOp kernel) {
  for (auto outer : llvm::make_early_inc_range(kernel.getBody().getOps<fuse::ReduceOp>())) {
    auto inner = outer.getValue().getDefiningOp<fuse::ReduceOp>();
    if (!inner || inner.getKind() != outer.getKind() || !inner->hasOneUse()) continue;
    std::vector<int64_t> over(inner.getOver().begin(), inner.getOver().end());
    over.insert(over.end(), outer.getOver().begin(), outer.getOver().end());
    llvm::sort(over);
    outer.setOver(over);
    outer.getValueMutable().assign(inner.getValue());
    inner.erase();
  }
}

// How many reductions each value waits for, one behind the other.
llvm::DenseMap<mlir::Value, int> levels_of(mlir::Block& body) {
  llvm::DenseMap<mlir::Value, int> levels;
  for (mlir::Operation& op : body) {
    int level = 0;
    for (mlir::Value operand : op.getOperands()) level = std::max(level, levels.lookup(operand));
    for (mlir::Value result : op.getResults()) levels[result] = level + (mlir::isa<fuse::ReduceOp>(op) ? 1 : 0);
  }
  return levels;
}

// What a sum's elements are but for signs and factors that all of them share.
struct Shared {
  mlir::Value rest;
  bool is_negative = false;
  std::vector<mlir::Value> factors;
};

Shared take_factors(mlir::Value value, fuse::DimBits over, const fuse::BodyDims& dims) {
  Shared shared{value, false, {}};
  for (;;) {
    if (auto negative = shared.rest.getDefiningOp<arith::NegFOp>()) {
      shared.is_negative = !shared.is_negative;
      shared.rest = negative.getOperand();
      continue;
    }
    auto product = shared.rest.getDefiningOp<arith::MulFOp>();
    if (!product) return shared;
    auto is_shared = [&](mlir::Value factor) { return (dims.of(factor) & over) == 0; };
    if (is_shared(product.getRhs())) shared.factors.push_back(product.getRhs()), shared.rest = product.getLhs();
    else if (is_shared(product.getLhs())) shared.factors.push_back(product.getLhs()), shared.rest = product.getRhs();
    else return shared;
  }
}

void pull_factors(fuse::KernelOp kernel) {
  mlir::Block& body = kernel.getBody().front();
  for (auto sum : llvm::make_early_inc_range(kernel.getBody().getOps<fuse::ReduceOp>())) {
    if (sum.getKind() != fuse::ReduceKind::sum || !mlir::isa<mlir::FloatType>(sum.getType())) continue;
    const auto levels = levels_of(body);
    const fuse::BodyDims dims(body, kernel.getInMaps());
    const Shared shared = take_factors(sum.getValue(), fuse::dim_bits(sum.getOver()), dims);
    if (levels.lookup(shared.rest) >= levels.lookup(sum.getValue())) continue;
    mlir::OpBuilder b(sum);
    mlir::Location at = sum.getLoc();
    auto plain = fuse::ReduceOp::create(b, at, sum.getType(), sum.getKind(), shared.rest, sum.getOverAttr());
    mlir::Value result = plain.getResult();
    for (mlir::Value factor : shared.factors) result = arith::MulFOp::create(b, at, result, factor);
    if (shared.is_negative) result = arith::NegFOp::create(b, at, result);
    sum.getResult().replaceAllUsesWith(result);
    sum.erase();
  }
  for (mlir::Operation& op : llvm::make_early_inc_range(llvm::reverse(body)))
    if (op.use_empty() && &op != body.getTerminator()) op.erase();
}

}  // namespace

void simplify_reductions(fuse::KernelOp kernel) {
  join_nested(kernel);
  pull_factors(kernel);
}

}  // namespace tessera::cuda
