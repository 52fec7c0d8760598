#include <tessera/codegen/cuda/executor/kernel_structure.h>

#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/raw_ostream.h"

#include <tessera/codegen/cpu/key.h>

namespace tessera::cuda {
namespace {

// Names of ops, attributes and types are one object each in a context: their addresses are compared instead of texts.
class Writer {
 public:
  void write(mlir::Operation& op) {
    put(op.getName().getAsOpaquePointer());
    put(op.getAttrDictionary().getAsOpaquePointer());
    put(op.getNumOperands());
    for (mlir::Value operand : op.getOperands()) use(operand);
    put(op.getNumResults());
    for (mlir::Value result : op.getResults()) define(result);
    put(op.getNumRegions());
    for (mlir::Region& region : op.getRegions()) {
      put(region.getBlocks().size());
      for (mlir::Block& block : region) {
        put(block.getNumArguments());
        for (mlir::Value argument : block.getArguments()) define(argument);
        put(block.getOperations().size());
        for (mlir::Operation& inner : block) write(inner);
      }
    }
  }

  std::string take() { return std::move(text_); }

 private:
  void put(const void* address) { put(reinterpret_cast<uintptr_t>(address)); }
  void put(uintptr_t word) { text_.append(reinterpret_cast<const char*>(&word), sizeof(word)); }

  void define(mlir::Value value) {
    number_.try_emplace(value, number_.size());
    put(value.getType().getAsOpaquePointer());
  }
  // What is read from outside gets a number where it is first read.
  void use(mlir::Value value) {
    const auto [found, is_new] = number_.try_emplace(value, number_.size());
    put(found->second);
    if (is_new) put(value.getType().getAsOpaquePointer());
  }

  std::string text_;
  llvm::DenseMap<mlir::Value, uintptr_t> number_;
};

}  // namespace

std::string structure_of(mlir::Operation& kernel) {
  Writer writer;
  writer.write(kernel);
  return writer.take();
}

// In a scope of its own nothing is printed of what is read from outside.
std::string body_digits(mlir::Operation& kernel) {
  std::string text;
  llvm::raw_string_ostream out(text);
  kernel.print(out, mlir::OpPrintingFlags().useLocalScope().printGenericOpForm());
  return codegen::blake3_hex(text).substr(0, 8);
}

}  // namespace tessera::cuda
