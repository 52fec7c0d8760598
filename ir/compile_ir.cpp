#include <tessera/ir/compile_ir.h>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassInstrumentation.h"
#include "mlir/Pass/PassManager.h"

#include <tessera/core/error.h>
#include <tessera/ir/fuse/Fuse.h>
#include <tessera/ir/remarks.h>
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

}  // namespace

void load_dialects(mlir::MLIRContext& context) {
  context.loadDialect<mlir::arith::ArithDialect, mlir::func::FuncDialect, mlir::math::MathDialect,
                      mlir::tensor::TensorDialect, tsr::TsrDialect, fuse::FuseDialect>();
}

std::vector<Remark> lower_to_fuse(mlir::ModuleOp module,
                                  const std::function<void(const std::string&, mlir::ModuleOp)>& on_pass, Planes planes,
                                  OperandSums sums, Channels channels, const MissingKernel& missing) {
  std::vector<Remark> remarks;
  CollectRemarks collect(*module.getContext(), remarks);
  mlir::PassManager passes(module.getContext());
  passes.enableVerifier(false);  // behind each pass it takes a seventh of all of them: tessera-opt does that
  build_pipeline(passes, planes, sums, channels, missing);
  if (on_pass) passes.addInstrumentation(std::make_unique<Observer>(module, on_pass));
  if (mlir::failed(passes.run(module)) || mlir::failed(mlir::verify(module)))
    throw InternalError("the program does not lower to kernels");
  return remarks;
}

}  // namespace tessera::ir
