#include <tessera/codegen/cuda/passes/Passes.h>

#include <tessera/codegen/cuda/tile/protocol.h>

namespace tessera::cuda {

#define GEN_PASS_DEF_VERIFYPROTOCOL
#include <tessera/codegen/cuda/passes/Passes.h.inc>

namespace {

class VerifyProtocolPass : public impl::VerifyProtocolBase<VerifyProtocolPass> {
 public:
  using VerifyProtocolBase::VerifyProtocolBase;

 private:
  void runOnOperation() override {
    llvm::SmallVector<int64_t> values(sizes.begin(), sizes.end());
    if (values.empty()) values = {1, 129, 520};
    for (auto kernel : getOperation().getOps<tile::KernelOp>()) {
      size_t count = 0;
      for (mlir::Type type : kernel.getBody().getArgumentTypes()) count += type.isInteger(32) ? 1 : 0;
      llvm::SmallVector<size_t> choice(count, 0);
      llvm::SmallVector<int64_t> arguments(count);
      for (bool more = true; more;) {
        for (size_t i = 0; i < count; ++i) arguments[i] = values[choice[i]];
        if (mlir::failed(tile::verify_protocol(kernel, arguments))) return signalPassFailure();
        more = false;
        for (size_t i = 0; i < count && !more; ++i) {
          more = ++choice[i] < values.size();
          if (!more) choice[i] = 0;
        }
      }
    }
    markAllAnalysesPreserved();
  }
};

}  // namespace
}  // namespace tessera::cuda
