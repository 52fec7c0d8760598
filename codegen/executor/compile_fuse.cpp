#include <tessera/codegen/executor/compile_fuse.h>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"

#include <tessera/codegen/plan/build_plan.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::codegen {

void load_fuse_dialects(mlir::MLIRContext& context) {
  mlir::DialectRegistry registry;
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
  context.appendDialectRegistry(registry);
  context
      .loadDialect<mlir::arith::ArithDialect, mlir::cf::ControlFlowDialect, mlir::func::FuncDialect,
                   mlir::LLVM::LLVMDialect, mlir::math::MathDialect, mlir::scf::SCFDialect, mlir::tensor::TensorDialect,
                   mlir::ub::UBDialect, mlir::vector::VectorDialect, fuse::FuseDialect>();
}

std::unique_ptr<PlanRunner> compile_fuse(mlir::ModuleOp module, std::vector<KernelTexts>* texts,
                                         const std::string& name, std::vector<ir::Remark> remarks) {
  Planned planned = build_plan(module);
  planned.plan.name = name;
  planned.plan.remarks = std::move(remarks);
  std::vector<KernelFunction> functions = get_kernels(*module.getContext(), planned.kernels, texts);
  return std::make_unique<PlanRunner>(std::move(planned.plan), std::move(functions));
}

}  // namespace tessera::codegen
