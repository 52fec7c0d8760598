#pragma once
// What the algebra asks about the values of a cascade's body. Answers are kept, and new ops may be asked about too: a
// value must not change under them.

#include <optional>

#include "llvm/ADT/SetVector.h"

#include <tessera/ir/fuse/Fuse.h>
#include <tessera/ir/fuse/body_dims.h>

namespace tessera::ir {

class BodyFacts {
 public:
  explicit BodyFacts(fuse::CascadeOp cascade);

  // The statistics and accumulations that a value waits for, in program order; one of those waits for itself.
  using Waits = llvm::SmallSetVector<mlir::Operation*, 2>;
  Waits waits(mlir::Value value);
  fuse::DimBits dims(mlir::Value value);

  bool is_streamed(mlir::Value value) { return (dims(value) & stream_) != 0; }
  bool is_plane(mlir::Value value) { return is_streamed(value) && (dims(value) & row_) != 0; }
  // Known when the stream has ended, and not before.
  bool is_late(mlir::Value value) { return !is_streamed(value) && !waits(value).empty(); }
  // A reduction, or a contraction over the stream dims.
  bool accumulates(mlir::Operation* op) const;

 private:
  mlir::ArrayAttr in_maps_;
  fuse::DimBits row_ = 0, stream_ = 0;
  llvm::DenseMap<mlir::Value, Waits> waits_;
  llvm::DenseMap<mlir::Value, fuse::DimBits> dims_;
};

// Equal by structure: what one computes, the other does.
bool same_value(mlir::Value a, mlir::Value b);
std::optional<double> real_constant(mlir::Value value);
// Provable from the value's own ops.
bool is_nonnegative(mlir::Value value);
// M for M itself, for `M = −∞ ? 0 : M`, and for the same the other way round; null for others. `guarded`: not M itself.
mlir::Value behind_guard(mlir::Value value, bool& guarded);

// base · factor
struct Scaled {
  mlir::Value base;
  double factor = 1;
};
Scaled without_scale(mlir::Value value);

}  // namespace tessera::ir
