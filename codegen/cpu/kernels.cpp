#include <tessera/codegen/cpu/kernels.h>

#include <mutex>
#include <optional>
#include <unordered_map>

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/IR/Verifier.h"

#include <tessera/codegen/cpu/object.h>
#include <tessera/codegen/cpu/object_cache.h>
#include <tessera/codegen/executor/failure.h>
#include <tessera/core/on_threads.h>

namespace tessera::codegen {

namespace {

struct Store {
  std::mutex mutex;
  std::unordered_map<std::string, KernelFunction> functions;
};
Store& store() {
  static Store* kept = new Store;
  return *kept;
}

KernelFunction in_memory(const std::string& key) {
  std::lock_guard lock(store().mutex);
  auto found = store().functions.find(key);
  return found == store().functions.end() ? nullptr : found->second;
}

KernelFunction keep(const std::string& key, KernelFunction function) {
  std::lock_guard lock(store().mutex);
  return store().functions.emplace(key, function).first->second;
}

struct Work {
  size_t request;
  LlvmModule module;
  std::string object;
};

// MLIR's part runs here, on the thread of the program; what follows needs no MLIR.
LlvmModule lower(mlir::MLIRContext& context, const KernelRequest& request, KernelTexts* texts) {
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
  request.emit(*module);
  if (texts) {
    texts->symbol = request.symbol;
    llvm::raw_string_ostream(texts->emitted) << *module;
  }
#ifndef NDEBUG
  Diagnostics diagnostics(&context);
  if (mlir::failed(mlir::verify(*module))) diagnostics.fail("emit kernel " + request.symbol);
#endif
  lower_to_llvm(*module);
  return translate(*module, host_target());
}

void compile_all(std::vector<Work>& work, std::vector<std::string>* llvm_texts) {
  on_threads(work.size(), [&](size_t k) {
    work[k].object = compile_object(std::move(work[k].module), host_target(), llvm_texts ? &(*llvm_texts)[k] : nullptr);
  });
}

}  // namespace

KernelFunction find_kernel(const std::string& key, const std::string& symbol) {
  if (KernelFunction function = in_memory(key)) return function;
  auto object = read_cached(key, "o");
  return object ? keep(key, Jit::instance().add(symbol, *object)) : nullptr;
}

std::vector<KernelFunction> get_kernels(mlir::MLIRContext& context, const std::vector<KernelRequest>& requests,
                                        std::vector<KernelTexts>* texts) {
  std::vector<KernelFunction> functions(requests.size());
  std::vector<std::optional<std::string>> objects(requests.size());
  std::vector<Work> work;
  for (size_t k = 0; k < requests.size(); ++k) {
    functions[k] = in_memory(requests[k].key);
    if (!functions[k]) objects[k] = read_cached(requests[k].key, "o");
    if ((functions[k] || objects[k]) && !texts) continue;
    if (texts) texts->emplace_back();
    work.push_back({k, lower(context, requests[k], texts ? &texts->back() : nullptr), {}});
  }
  std::vector<std::string> llvm_texts(texts ? work.size() : 0);
  compile_all(work, texts ? &llvm_texts : nullptr);
  for (size_t k = 0; k < work.size(); ++k) {
    if (texts) (*texts)[k].llvm = std::move(llvm_texts[k]);
    size_t of = work[k].request;
    if (functions[of] || objects[of]) continue;
    write_cached(requests[of].key, "o", work[k].object);
    objects[of] = std::move(work[k].object);
  }
  // In order: the code of one may call functions that stand before it.
  for (size_t k = 0; k < requests.size(); ++k) {
    if (!functions[k]) functions[k] = keep(requests[k].key, Jit::instance().add(requests[k].symbol, *objects[k]));
  }
  return functions;
}

}  // namespace tessera::codegen
