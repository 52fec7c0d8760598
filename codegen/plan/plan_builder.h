#pragma once
// What every target's plan is built with: the walk over a function of kernels, places of values, and what a launch notes
// about its op. A target adds how each kind of op becomes launches.

#include <optional>
#include <vector>

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

#include <tessera/codegen/plan/plan.h>
#include <tessera/codegen/plan/storage.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::codegen {

class PlanBuilder {
 public:
  explicit PlanBuilder(mlir::ModuleOp module);  // holds one function
  virtual ~PlanBuilder() = default;

 protected:
  void visit_all(Plan& plan);  // launches in the order of the function; lifetimes and the arena are left to the caller

  virtual void visit_kernel(fuse::KernelOp kernel) = 0;
  virtual void visit_cascade(fuse::CascadeOp cascade) = 0;
  virtual void visit_library(fuse::LibraryOp library) = 0;

  mlir::func::FuncOp function() { return function_; }
  Storage& storage() { return *storage_; }

  void launch(PlanLaunch made, mlir::Operation& op);
  void copy(int from, int to, mlir::Operation& op);
  // What keeps its old elements elsewhere must hold them first.
  void copy_inits(mlir::Operation& op, std::optional<llvm::ArrayRef<int64_t>> init_of, mlir::ValueRange inits);
  // Inputs, then results.
  std::vector<int> values_of(fuse::KernelOp kernel);

  static void add_checks(mlir::Block& body, PlanLaunch& made);  // words of a body's sites, behind those that are there
  static void note_writes(mlir::Block& body, PlanLaunch& made);
  static void measure(mlir::ValueRange inputs, mlir::ValueRange results, int64_t flops, PlanLaunch& made);

 private:
  void visit(mlir::Operation& op);
  mlir::func::FuncOp function_;
  Plan* plan_ = nullptr;
  std::optional<Storage> storage_;
};

}  // namespace tessera::codegen
