#include <tessera/codegen/cuda/rows/spelling.h>

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Builders.h"

#include <tessera/codegen/cuda/rows/scalar_text.h>
#include <tessera/codegen/cuda/rows/tanh_text.h>

namespace tessera::cuda {

namespace {

constexpr llvm::StringLiteral is_short = "fuse.is_short";

}  // namespace

void decide_spellings(fuse::KernelOp kernel) {
  mlir::Builder b(kernel.getContext());
  for (mlir::Operation& op : kernel.getBody().front())
    if (mlir::isa<mlir::math::TanhOp, mlir::math::ExpOp>(op))
      op.setAttr(is_short, b.getBoolAttr(is_read_as_sigmoid(&op) || is_power_of_two(&op)));
}

std::optional<bool> is_spelled_short(mlir::Operation* op) {
  auto said = op->getAttrOfType<mlir::BoolAttr>(is_short);
  return said ? std::optional(said.getValue()) : std::nullopt;
}

}  // namespace tessera::cuda
