#include <tessera/codegen/cpu/object.h>

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Transforms/DialectConversion.h"

#include <tessera/codegen/executor/failure.h>

namespace tessera::codegen {

void lower_to_llvm(mlir::ModuleOp module) {
  mlir::MLIRContext* context = module.getContext();
  Diagnostics diagnostics(context);
  mlir::LLVMTypeConverter types(context);
  mlir::RewritePatternSet patterns(context);
  mlir::populateSCFToControlFlowConversionPatterns(patterns);
  mlir::cf::populateControlFlowToLLVMConversionPatterns(types, patterns);
  mlir::arith::populateArithToLLVMConversionPatterns(types, patterns);
  mlir::populateMathToLLVMConversionPatterns(types, patterns, /*approximateLog1p=*/false);
  mlir::populateVectorToLLVMConversionPatterns(types, patterns);
  mlir::LLVMConversionTarget target(*context);
  mlir::ConversionConfig config;
  config.allowPatternRollback = false;  // faster, and nothing here is speculative
  if (mlir::failed(mlir::applyPartialConversion(module, target, std::move(patterns), config))) {
    diagnostics.fail("lower a kernel to the llvm dialect");
  }
}

}  // namespace tessera::codegen
