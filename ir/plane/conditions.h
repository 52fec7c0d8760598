#pragma once
// What bools and integers of a cascade's body are known to be at every point of a block, as nodes of its liveness.

#include <optional>

#include "llvm/ADT/DenseMap.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

#include <tessera/ir/fuse/Fuse.h>
#include <tessera/ir/plane/liveness_writer.h>

namespace tessera::ir {

class Conditions : public LivenessWriter {
 public:
  explicit Conditions(fuse::CascadeOp cascade) : cascade_(cascade) {}

  // That a bool is `holds`.
  Known fact(mlir::Value value, bool holds);
  // The node of an integer.
  int32_t number(mlir::Value value);
  // What an input holds in a block, if its elements are addressed linearly.
  std::optional<int32_t> load_of(mlir::BlockArgument argument);

 protected:
  fuse::CascadeOp cascade_;

 private:
  using LivenessWriter::choose;
  Known find_fact(mlir::Value value, bool holds);
  Known compare_integers(mlir::arith::CmpIOp op, bool holds);
  Known are_unsigned(int32_t a, int32_t b);
  Known compare_reals(mlir::arith::CmpFOp op, bool holds);
  std::optional<int32_t> whole(mlir::Value value);
  int32_t find_number(mlir::Value value);
  int32_t choose(mlir::Value condition, int32_t a, int32_t b);
  int32_t affine(mlir::AffineExpr e);
  bool add_linear(mlir::AffineExpr e, int64_t factor, Liveness::Load& load);

  llvm::DenseMap<std::pair<mlir::Value, int>, Known> facts_;
  llvm::DenseMap<mlir::Value, int32_t> numbers_;
};

}  // namespace tessera::ir
