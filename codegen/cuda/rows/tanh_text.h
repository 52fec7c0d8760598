#pragma once
// tanh z where all that is read of it is 1 + tanh z and 1 − tanh² z, as in gelu and its derivative: with s = 1 / (1 + e^−2z)
// these are 2s and 4s(1 − s), where 1 − s is s · e^−2z. That is cheaper than a tanh, and more exact where one of them is small.

#include <functional>
#include <optional>
#include <string>

#include "mlir/Dialect/Math/IR/Math.h"

namespace tessera::cuda {

struct TanhReaders {
  llvm::SmallVector<mlir::Operation*> sums, differences;  // 1 + tanh z; 1 − tanh² z
};
// Nothing where something else reads it too.
std::optional<TanhReaders> readers_by_sigmoid(mlir::math::TanhOp);
// The tanh z that `op` is 1 + tanh z or 1 − tanh² z of; null for other ops.
mlir::Value tanh_read_by(mlir::Operation* op);

// Its own statement is then that of s.
bool is_read_as_sigmoid(mlir::Operation* tanh);
// The expression of such a tanh, or of what reads it; nothing for other ops. `name_of` prints what is not there yet.
std::optional<std::string> text_by_sigmoid(mlir::Operation* op, const std::function<std::string(mlir::Value)>& name_of);

}  // namespace tessera::cuda
