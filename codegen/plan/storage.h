#pragma once
// Which values of a function share memory, and in which kind of place each lies: an argument, a result, the arena.

#include <string>
#include <string_view>

#include "llvm/ADT/DenseMap.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <tessera/codegen/plan/plan.h>

namespace tessera::codegen {

class Storage {
 public:
  // Places arguments and results in `plan`; the rest as it is asked for.
  Storage(mlir::func::FuncOp function, Plan& plan);

  // Numbers of plan values.
  int id_of(mlir::Value value);
  int temporary(int64_t bytes, std::string type);
  int constant(std::string_view bytes, std::string type);
  void place_constant(mlir::Value value, std::string_view bytes);

  // Does the result take over the storage of its init?
  bool is_in_place(mlir::Value result) const { return owner_.contains(result); }

 private:
  void number_ops();
  void share_inits();
  template <class KernelOp> void share_inits_of(KernelOp kernel);
  void place_interface();
  bool may_donate(mlir::Value returned, mlir::BlockArgument argument);
  mlir::Value owner(mlir::Value value) const;
  int add_value(PlanValue value);

  mlir::func::FuncOp function_;
  Plan& plan_;
  mlir::Operation* terminator_;
  llvm::DenseMap<mlir::Operation*, int> order_;
  llvm::DenseMap<mlir::Value, int> last_use_;
  llvm::DenseMap<mlir::Value, mlir::Value> owner_;  // result → init whose storage it takes over
  llvm::DenseMap<mlir::Value, int> id_;
};

}  // namespace tessera::codegen
