#include <tessera/codegen/cuda/rows/running_sum.h>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <tessera/ir/fuse/Fuse.h>

namespace tessera::cuda {

namespace arith = mlir::arith;

namespace {

bool is_constant(mlir::Value value, double wanted) {
  auto constant = value.getDefiningOp<arith::ConstantOp>();
  auto real = constant ? mlir::dyn_cast<mlir::FloatAttr>(constant.getValue()) : nullptr;
  return real && real.getValueAsDouble() == wanted;
}

// m of `m == −infinity ? 0 : m`.
mlir::Value finite(mlir::Value value) {
  auto choice = value.getDefiningOp<arith::SelectOp>();
  auto is = choice ? choice.getCondition().getDefiningOp<arith::CmpFOp>() : nullptr;
  const bool fits = is && is.getPredicate() == arith::CmpFPredicate::OEQ && is.getLhs() == choice.getFalseValue() &&
                    is_constant(is.getRhs(), -std::numeric_limits<double>::infinity()) &&
                    is_constant(choice.getTrueValue(), 0);
  return fits ? choice.getFalseValue() : mlir::Value();
}

}  // namespace

std::optional<RunningSum> find_running_sum(const codegen::Form& form, const codegen::Stages& stages) {
  RunningSum found;
  for (const codegen::Nest& nest : stages.nests) {
    if (nest.reduces.empty() || nest.level == 0) continue;
    if (nest.level > 1 || nest.reduces.size() > 1 || found.sum) return std::nullopt;
    found.sum = nest.reduces.front();
  }
  auto sum = mlir::dyn_cast_or_null<fuse::ReduceOp>(found.sum);
  if (!sum || sum.getKind() != fuse::ReduceKind::sum || !sum.getType().isF32()) return std::nullopt;
  auto exp = sum.getValue().getDefiningOp<mlir::math::ExpOp>();
  auto less = exp ? exp.getOperand().getDefiningOp<arith::SubFOp>() : nullptr;
  mlir::Value under = less ? finite(less.getRhs()) : mlir::Value();
  auto highest = under ? under.getDefiningOp<fuse::ReduceOp>() : nullptr;
  if (!highest || highest.getKind() != fuse::ReduceKind::max || highest.getValue() != less.getLhs())
    return std::nullopt;
  found.highest = highest;
  auto is_of_elements = [&](mlir::Value value) { return stages.inner(form, value) != 0; };
  for (const codegen::Column& column : stages.columns)
    if (is_of_elements(column.reduce->getOperand(0))) return std::nullopt;
  for (mlir::Value result : form.body->getTerminator()->getOperands())
    if (is_of_elements(result)) return std::nullopt;
  return found;
}

}  // namespace tessera::cuda
