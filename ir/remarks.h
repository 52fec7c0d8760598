#pragma once
// From MLIR's remarks, which passes emit, to ours.

#include <vector>

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Remarks.h"

#include <tessera/ir/remark.h>

namespace tessera::ir {

// Arguments of a remark that name more ops than its location.
mlir::remark::detail::Remark::Arg about(llvm::ArrayRef<mlir::Operation*> ops);
mlir::remark::detail::Remark::Arg because_of(mlir::Operation* op);

// Of a passed remark: the op is computed by another kernel after all, whatever was missed of `fusion` before.
inline constexpr llvm::StringRef sum_category = "sum";

// While it lives, remarks of the context go into `out`: all of category `plane`, what was missed of `fusion`
// and `precision` and stayed so.
class CollectRemarks {
 public:
  CollectRemarks(mlir::MLIRContext& context, std::vector<Remark>& out);
  ~CollectRemarks();

 private:
  mlir::MLIRContext& context_;
};

}  // namespace tessera::ir
