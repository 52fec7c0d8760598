#include <tessera/ir/compile_ir.h>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Pass/PassInstrumentation.h"
#include "mlir/Pass/PassManager.h"

#include <tessera/core/error.h>
#include <tessera/ir/fuse/Fuse.h>
#include <tessera/ir/import/origin.h>
#include <tessera/ir/pipeline.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {
namespace {

class Observer : public mlir::PassInstrumentation {
 public:
  Observer(mlir::ModuleOp module, std::function<void(const std::string&, mlir::ModuleOp)> on_pass)
      : module_(module), on_pass_(std::move(on_pass)), before_(module) {}

  void runAfterPass(mlir::Pass* pass, mlir::Operation*) override {
    mlir::OperationFingerPrint after(module_);
    if (after != before_ && !pass->getArgument().empty()) on_pass_(pass->getArgument().str(), module_);
    before_ = after;
  }

 private:
  mlir::ModuleOp module_;
  std::function<void(const std::string&, mlir::ModuleOp)> on_pass_;
  mlir::OperationFingerPrint before_;
};

// Collects the remarks of form-kernels; others are for tessera-opt.
class MissedRemarks : public mlir::remark::detail::MLIRRemarkStreamerBase {
 public:
  explicit MissedRemarks(std::vector<MissedFusion>& out) : out_(out) {}

  void streamOptimizationRemark(const mlir::remark::detail::Remark& remark) override {
    if (remark.getRemarkName() != "separate-kernels") return;
    MissedFusion missed{last_origin(remark.getLocation()), -1, ""};
    for (const auto& argument : remark.getArgs()) {
      if (argument.key == "Reason") missed.reason = argument.val;
      if (argument.key == "Producer")
        missed.producer = last_origin(mlir::Location(llvm::cast<mlir::LocationAttr>(argument.getAttribute())));
    }
    out_.push_back(std::move(missed));
  }

 private:
  static int last_origin(mlir::Location location) {
    std::vector<int> origins;
    add_origins(location, origins);
    return origins.empty() ? -1 : origins.back();
  }
  std::vector<MissedFusion>& out_;
};

// Remarks of a context are on while this lives.
class CollectMissed {
 public:
  CollectMissed(mlir::MLIRContext& context, std::vector<MissedFusion>& out) : context_(context) {
    mlir::remark::RemarkCategories categories;
    categories.missed = "fusion";
    if (mlir::failed(mlir::remark::enableOptimizationRemarks(context, std::make_unique<MissedRemarks>(out),
                                                             std::make_unique<mlir::remark::RemarkEmittingPolicyAll>(),
                                                             categories)))
      throw InternalError("the remarks of the passes cannot be collected");
  }
  ~CollectMissed() { context_.setRemarkEngine(nullptr); }

 private:
  mlir::MLIRContext& context_;
};

}  // namespace

void load_dialects(mlir::MLIRContext& context) {
  context.loadDialect<mlir::arith::ArithDialect, mlir::func::FuncDialect, mlir::math::MathDialect,
                      mlir::tensor::TensorDialect, tsr::TsrDialect, fuse::FuseDialect>();
}

std::vector<MissedFusion> lower_to_fuse(mlir::ModuleOp module,
                                        const std::function<void(const std::string&, mlir::ModuleOp)>& on_pass) {
  std::vector<MissedFusion> missed;
  CollectMissed collect(*module.getContext(), missed);
  mlir::PassManager passes(module.getContext());
  build_pipeline(passes);
  if (on_pass) passes.addInstrumentation(std::make_unique<Observer>(module, on_pass));
  if (mlir::failed(passes.run(module))) throw InternalError("the program does not lower to kernels");
  return missed;
}

}  // namespace tessera::ir
