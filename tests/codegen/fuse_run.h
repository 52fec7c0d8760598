#pragma once
// Runs fuse text: parse, plan, compile, run.

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"

#include <tessera/codegen/executor/compile_fuse.h>
#include <tessera/core/buffer.h>
#include <tessera/core/error.h>

namespace tessera::codegen::test {

template <class T> BufferPtr buffer(const std::vector<T>& values) {
  auto made = std::make_shared<Buffer>(values.size() * sizeof(T));
  std::memcpy(made->data(), values.data(), values.size() * sizeof(T));
  return made;
}

template <class T> std::vector<T> values(const BufferPtr& buffer) {
  return std::vector<T>(buffer->as<T>(), buffer->as<T>() + buffer->bytes() / sizeof(T));
}

struct FuseProgram {
  explicit FuseProgram(const std::string& text) {
    load_fuse_dialects(context);
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    EXPECT_TRUE(module) << text;
    if (module) runner = compile_fuse(*module, &texts);
  }
  // `recorded`: what the origins in the text refer to.
  std::vector<BufferPtr> run(std::vector<BufferPtr> arguments, const Program& recorded = {}) {
    return runner->run(recorded, arguments);
  }

  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::vector<KernelTexts> texts;
  std::unique_ptr<PlanRunner> runner;
};

}  // namespace tessera::codegen::test
