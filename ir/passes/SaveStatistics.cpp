#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"

#include <tessera/ir/passes/Passes.h>
#include <tessera/ir/plane/cost.h>
#include <tessera/ir/plane/split_sums.h>
#include <tessera/ir/plane/sweeps.h>

namespace tessera::ir {

#define GEN_PASS_DEF_SAVESTATISTICS
#include <tessera/ir/passes/Passes.h.inc>

namespace {

using mlir::Operation;
using mlir::Value;

class SaveStatisticsPass : public impl::SaveStatisticsBase<SaveStatisticsPass> {
  void runOnOperation() override {
    if (keeps_order(getOperation())) return;
    mlir::Block& block = getOperation().getBody().front();
    llvm::DenseSet<Operation*> seen;
    auto now = std::make_unique<Surroundings>(block);
    for (tsr::ContractOp seed : llvm::to_vector(block.getOps<tsr::ContractOp>())) {
      if (seen.contains(seed)) continue;
      std::string why;
      std::unique_ptr<Plane> plane = grow_plane(seed, now->free, now->order, why);
      if (plane && split_sums(*plane)) {
        plane.reset();
        now = std::make_unique<Surroundings>(block);
        plane = grow_plane(seed, now->free, now->order, why);
      }
      if (!plane) continue;
      const std::vector<PlaneKernel> kernels = plan_kernels(*plane, now->free, now->order, {});
      if (why_materialise(*plane, kernels)) continue;
      seen.insert(plane->ops.begin(), plane->ops.end());
      for (Operation* member : plane->ops)
        if (auto softmax = llvm::dyn_cast<tsr::SoftmaxOp>(member)) save(softmax, *plane, kernels);
      plane.reset();
      now = std::make_unique<Surroundings>(block);
    }
  }

  // Kernels that do not make the statistics themselves.
  static void save(tsr::SoftmaxOp softmax, const Plane& plane, const std::vector<PlaneKernel>& kernels) {
    const Side side = side_of(plane, softmax);
    int home = -1;
    for (const PlaneKernel& kernel : kernels)
      if (kernel.side == side && llvm::is_contained(kernel.members, softmax) && (home < 0 || kernel.sweep < home) &&
          !llvm::is_contained(kernel.outputs, softmax.getY()))
        home = kernel.sweep;
    llvm::SetVector<Operation*> later;
    llvm::SmallVector<Value, 4> outputs;
    for (const PlaneKernel& kernel : kernels) {
      const bool is_home = kernel.side == side && kernel.sweep == home;
      if (is_home || !llvm::is_contained(kernel.members, softmax)) continue;
      later.insert(kernel.members.begin(), kernel.members.end());
      outputs.append(kernel.outputs.begin(), kernel.outputs.end());
    }
    if (later.empty()) return;
    mlir::IRMapping by;
    by.map(softmax.getY(), from_statistic(softmax));
    // In program order: what depends on the softmax and belongs to a later kernel is computed from the statistic.
    for (Operation* op : plane.ops) {
      if (!later.contains(op) || op == softmax) continue;
      if (llvm::any_of(op->getOperands(), [&](Value x) { return depends(x, by, plane); })) copy(op, by, plane);
    }
    for (Value output : outputs)
      if (Value fresh = by.lookupOrNull(output))
        output.replaceUsesWithIf(fresh, [&](mlir::OpOperand& use) { return !plane.lists->is_member(use.getOwner()); });
    mlir::remark::passed(softmax.getLoc(), mlir::remark::RemarkOpts::name("save-statistics").category("plane"))
        << mlir::remark::add("later kernels compute softmax(x) as exp(x − logsumexp(x))");
  }

  // Through views, which are copied along.
  static bool depends(Value value, const mlir::IRMapping& by, const Plane& plane) {
    if (by.contains(value)) return true;
    Operation* op = value.getDefiningOp();
    return op && is_view(op) && !plane.lists->is_member(op) && depends(op->getOperand(0), by, plane);
  }
  static void copy(Operation* op, mlir::IRMapping& by, const Plane& plane) {
    for (Value operand : op->getOperands())
      if (!by.contains(operand) && depends(operand, by, plane)) copy(operand.getDefiningOp(), by, plane);
    mlir::OpBuilder b(op);
    b.setInsertionPointAfter(op);
    b.clone(*op, by);
  }

  static Value from_statistic(tsr::SoftmaxOp softmax) {
    mlir::OpBuilder b(softmax);
    b.setInsertionPointAfter(softmax);
    mlir::Location at = softmax.getLoc();
    Value x = softmax.getX();
    mlir::RankedTensorType type = tsr::type_of(x);
    const int64_t dim = static_cast<int64_t>(softmax.getDim());
    llvm::SmallVector<int64_t, 4> shape(type.getShape()), kept;
    shape.erase(shape.begin() + dim);
    for (int64_t d = 0; d < type.getRank(); ++d)
      if (d != dim) kept.push_back(d);
    // Rows keep their statistic in the width that softmax computes in.
    const bool narrow = type.getElementTypeBitWidth() < 32;
    mlir::Type wide = narrow ? mlir::Type(b.getF32Type()) : type.getElementType();
    if (narrow) x = tsr::CastOp::create(b, at, type.clone(wide), x);
    auto lane = mlir::RankedTensorType::get(shape, wide);
    Value lse = tsr::LogSumExpOp::create(b, at, lane, x, b.getI64IntegerAttr(dim));
    auto number = [&](double value) {
      return tsr::ConstantOp::create(b, at, lane, b.getF64FloatAttr(value)).getResult();
    };
    // A row without a finite entry has the logsumexp −∞ and the softmax 0.
    Value nothing =
        tsr::EqualOp::create(b, at, tsr::bool_like(lane), lse, number(-std::numeric_limits<double>::infinity()));
    Value shift = tsr::SelectOp::create(b, at, lane, nothing, number(0), lse);
    Value spread = tsr::BroadcastOp::create(b, at, x.getType(), shift, b.getDenseI64ArrayAttr(kept));
    Value p = tsr::ExpOp::create(b, at, tsr::SubOp::create(b, at, x, spread).getResult());
    return narrow ? tsr::CastOp::create(b, at, type, p).getResult() : p;
  }
};

}  // namespace
}  // namespace tessera::ir
