#include <tessera/codegen/cpu/jit.h>

#include <mutex>
#include <unordered_map>

#include "llvm/ExecutionEngine/Orc/AbsoluteSymbols.h"
#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"

#include <tessera/codegen/cpu/cascade_run.h>
#include <tessera/codegen/executor/failure.h>

namespace tessera::codegen {

struct Jit::State {
  std::unique_ptr<llvm::orc::LLJIT> lljit;
  std::mutex mutex;
  std::unordered_map<std::string, KernelFunction> functions;
};

Jit& Jit::instance() {
  static Jit* jit = new Jit;  // kernels may still run on pool threads while statics are torn down
  return *jit;
}

Jit::Jit() : state_(std::make_unique<State>()) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  auto built = llvm::orc::LLJITBuilder()
                   .setPlatformSetUp(llvm::orc::setUpInactivePlatform)  // no static constructors in kernels
                   .setLinkProcessSymbolsByDefault(false)
                   .create();
  if (!built) throw_llvm_failure("create the JIT", built.takeError());
  state_->lljit = std::move(*built);
  // Drivers of ours that kernels call: by address, since the portable library exports no such names.
  llvm::orc::SymbolMap drivers;
  auto add_driver = [&](const char* name, auto* function) {
    drivers[state_->lljit->mangleAndIntern(name)] = llvm::orc::ExecutorSymbolDef(
        llvm::orc::ExecutorAddr::fromPtr(function), llvm::JITSymbolFlags::Exported | llvm::JITSymbolFlags::Callable);
  };
  add_driver("tessera_contract_task", &tessera_contract_task);
  add_driver("tessera_cascade_task", &tessera_cascade_task);
  if (auto error = state_->lljit->getMainJITDylib().define(llvm::orc::absoluteSymbols(drivers))) {
    throw_llvm_failure("define the drivers of kernels", std::move(error));
  }
  // libm for f64 functions, memset and friends that the code generator calls on its own.
  auto process =
      llvm::orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(state_->lljit->getDataLayout().getGlobalPrefix());
  if (!process) throw_llvm_failure("find this process's symbols", process.takeError());
  state_->lljit->getMainJITDylib().addGenerator(std::move(*process));
}

Jit::~Jit() = default;

KernelFunction Jit::add(const std::string& symbol, const std::string& object) {
  {
    std::lock_guard lock(state_->mutex);
    auto found = state_->functions.find(symbol);
    if (found != state_->functions.end()) return found->second;
  }
  std::lock_guard lock(state_->mutex);
  auto found = state_->functions.find(symbol);
  if (found != state_->functions.end()) return found->second;
  auto buffer = llvm::MemoryBuffer::getMemBufferCopy(object, symbol);
  if (auto error = state_->lljit->addObjectFile(std::move(buffer))) {
    throw_llvm_failure("link kernel " + symbol, std::move(error));
  }
  auto address = state_->lljit->lookup(symbol);
  if (!address) throw_llvm_failure("look up kernel " + symbol, address.takeError());
  auto function = address->toPtr<KernelFunction>();
  state_->functions.emplace(symbol, function);
  return function;
}

}  // namespace tessera::codegen
