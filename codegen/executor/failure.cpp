#include <tessera/codegen/executor/failure.h>

#include <tessera/core/error.h>

namespace tessera::codegen {

void throw_llvm_failure(const std::string& doing, llvm::Error error) {
  throw InternalError("could not " + doing + ": " + llvm::toString(std::move(error)));
}

Diagnostics::Diagnostics(mlir::MLIRContext* context)
    : handler_(context, [this](mlir::Diagnostic& diagnostic) {
        std::string line;
        llvm::raw_string_ostream stream(line);
        stream << diagnostic.getLocation() << ": " << diagnostic << '\n';
        text_ += line;
        return mlir::success();
      }) {}

void Diagnostics::fail(const std::string& doing) const {
  throw InternalError("could not " + doing + (text_.empty() ? "" : ":\n" + text_));
}

}  // namespace tessera::codegen
