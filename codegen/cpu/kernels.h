#pragma once
// Kernels by key. A key says everything that machine code depends on; equal keys share one function, in this process
// and, through the disk cache, in later ones.

#include <functional>
#include <string>
#include <vector>

#include <tessera/codegen/cpu/jit.h>

namespace mlir {
class MLIRContext;
class ModuleOp;
}  // namespace mlir

namespace tessera::codegen {

// What is to be compiled. `emit` writes one llvm.func named `symbol` into an empty module; it may refer to the module of
// the program, which must outlive the request.
struct KernelRequest {
  std::string key;  // hex
  std::string symbol;
  std::function<void(mlir::ModuleOp)> emit;
};

// Texts for people; filled only for kernels compiled in this call.
struct KernelTexts {
  std::string symbol, emitted, llvm;
};

// Functions for the keys, in order. Compiles on several threads what is neither in memory nor on disk.
std::vector<KernelFunction> get_kernels(mlir::MLIRContext& context, const std::vector<KernelRequest>& requests,
                                        std::vector<KernelTexts>* texts);
// The same without a compiler at hand: null where a key is nowhere to be found.
KernelFunction find_kernel(const std::string& key, const std::string& symbol);

}  // namespace tessera::codegen
