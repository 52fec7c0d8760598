#include <tessera/codegen/cuda/rows/reductions.h>

#include <algorithm>

#include "llvm/ADT/SetVector.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Dominance.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/CSE.h"

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

bool is_linear(mlir::AffineMap map) {
  return !map.getResult(0)
              .walk([](mlir::AffineExpr expr) {
                using Kind = mlir::AffineExprKind;
                const bool divides =
                    expr.getKind() == Kind::Mod || expr.getKind() == Kind::FloorDiv || expr.getKind() == Kind::CeilDiv;
                return divides ? mlir::WalkResult::interrupt() : mlir::WalkResult::advance();
              })
              .wasInterrupted();
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
  mlir::Value rest;  // null: nothing
  bool is_negative = false;
  std::vector<mlir::Value> factors;
};

// `value` without what does not differ along `over`, wherever in a product it stands.
mlir::Value take_factors(mlir::Value value, fuse::DimBits over, const fuse::BodyDims& dims, mlir::OpBuilder& b,
                         Shared& taken) {
  if ((dims.of(value) & over) == 0) {
    taken.factors.push_back(value);
    return {};
  }
  if (auto negative = value.getDefiningOp<arith::NegFOp>()) {
    taken.is_negative = !taken.is_negative;
    return take_factors(negative.getOperand(), over, dims, b, taken);
  }
  auto product = value.getDefiningOp<arith::MulFOp>();
  if (!product) return value;
  mlir::Value x = take_factors(product.getLhs(), over, dims, b, taken),
              y = take_factors(product.getRhs(), over, dims, b, taken);
  if (!x || !y) return x ? x : y;
  if (x == product.getLhs() && y == product.getRhs()) return value;
  return arith::MulFOp::create(b, product.getLoc(), x, y);
}

// Can the value be computed behind the last row? Of inputs at linear places and of constants, element by element.
bool is_of_inputs(mlir::Value value, fuse::KernelOp kernel) {
  llvm::SetVector<mlir::Value> values;
  values.insert(value);
  for (size_t k = 0; k < values.size(); ++k) {
    if (auto argument = mlir::dyn_cast<mlir::BlockArgument>(values[k])) {
      auto map = mlir::cast<mlir::AffineMapAttr>(kernel.getInMaps()[argument.getArgNumber()]).getValue();
      if (mlir::isa<mlir::RankedTensorType>(argument.getType()) || !is_linear(map)) return false;
      continue;
    }
    mlir::Operation* op = values[k].getDefiningOp();
    if (!mlir::isa<arith::ArithDialect, mlir::math::MathDialect>(op->getDialect())) return false;
    values.insert(op->operand_begin(), op->operand_end());
  }
  return true;
}

// May the factors of a sum over all rows come behind it? They do not make it one of more columns.
bool waits_with_factors(fuse::ReduceOp sum, const Shared& shared, const fuse::BodyDims& dims) {
  auto kernel = sum->getParentOfType<fuse::KernelOp>();
  const fuse::DimBits over = fuse::dim_bits(sum.getOver()), rows = (fuse::DimBits{1} << kernel.getOuter()) - 1;
  return rows != 0 && (rows & ~over) == 0 && dims.of(shared.rest) == dims.of(sum.getValue()) &&
         llvm::all_of(shared.factors, [&](mlir::Value factor) { return is_of_inputs(factor, kernel); });
}

void pull_factors(fuse::KernelOp kernel) {
  mlir::Block& body = kernel.getBody().front();
  bool are_columns_less = false;
  for (auto sum : llvm::make_early_inc_range(kernel.getBody().getOps<fuse::ReduceOp>())) {
    if (sum.getKind() != fuse::ReduceKind::sum || !mlir::isa<mlir::FloatType>(sum.getType())) continue;
    mlir::OpBuilder b(sum);
    Shared shared;
    shared.rest = take_factors(sum.getValue(), fuse::dim_bits(sum.getOver()), fuse::BodyDims(body, kernel.getInMaps()),
                               b, shared);
    if (!shared.rest || shared.rest == sum.getValue()) continue;
    const auto levels = levels_of(body);
    const bool is_of_columns = waits_with_factors(sum, shared, fuse::BodyDims(body, kernel.getInMaps()));
    if (!is_of_columns && levels.lookup(shared.rest) >= levels.lookup(sum.getValue())) continue;
    are_columns_less |= is_of_columns;
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
  if (!are_columns_less) return;
  mlir::DominanceInfo dominance(kernel);
  mlir::IRRewriter rewriter(kernel.getContext());
  mlir::eliminateCommonSubExpressions(rewriter, dominance, kernel);
}

}  // namespace

void simplify_reductions(fuse::KernelOp kernel, Rounding rounding) {
  join_nested(kernel);
  if (rounding == Rounding::of_kernel) pull_factors(kernel);
}

}  // namespace tessera::cuda
