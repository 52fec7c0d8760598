#pragma once
// The one place where failures of MLIR and LLVM become errors of ours. Neither library is built with exceptions: never
// throw from a callback that they call; collect, return to our own frame, then throw.

#include <string>

#include "llvm/Support/Error.h"
#include "mlir/IR/Diagnostics.h"

namespace tessera::codegen {

[[noreturn]] void throw_llvm_failure(const std::string& doing, llvm::Error);

// Collects what MLIR reports while it lives.
class Diagnostics {
 public:
  explicit Diagnostics(mlir::MLIRContext*);
  const std::string& text() const { return text_; }
  // Throws InternalError with everything reported so far.
  [[noreturn]] void fail(const std::string& doing) const;

 private:
  std::string text_;
  mlir::ScopedDiagnosticHandler handler_;
};

}  // namespace tessera::codegen
