#pragma once
// From a module of scf, arith, math, vector and llvm ops to a relocatable object.

#include <memory>
#include <string>

#include "mlir/IR/BuiltinOps.h"

#include <tessera/codegen/cpu/target.h>

namespace llvm {
class LLVMContext;
class Module;
}  // namespace llvm

namespace tessera::codegen {

// Lowers in place to the llvm dialect: one conversion, no pass manager. Throws InternalError.
void lower_to_llvm(mlir::ModuleOp module);

// A module of the llvm dialect as LLVM IR, owned with its own context so that threads may compile several at once.
struct LlvmModule {
  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::Module> module;
  LlvmModule();
  LlvmModule(LlvmModule&&) noexcept;
  LlvmModule& operator=(LlvmModule&&) noexcept;
  ~LlvmModule();
};
LlvmModule translate(mlir::ModuleOp module, const Target& target);

// Optimises and generates code. `text`, if given, receives the optimised LLVM IR. Safe on any thread.
std::string compile_object(LlvmModule module, const Target& target, std::string* text = nullptr);

}  // namespace tessera::codegen
