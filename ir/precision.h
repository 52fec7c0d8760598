#pragma once
// The precision of a function, as import wrote it (core/precision.h).

#include <optional>

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"

namespace tessera::ir {

// Marks a cast to f32 that the compiler put before a contraction. Other casts are the user's, who may mean them.
constexpr llvm::StringRef of_policy = "tsr.policy";

struct MixedPrecision {
  mlir::FloatType narrow;    // what contractions read, and what lies between kernels
  mlir::FloatType residual;  // of sums that go on from kernel to kernel
};

// Nothing for a function that computes as it was written.
inline std::optional<MixedPrecision> mixed_precision(mlir::Operation* function) {
  auto narrow = function->getAttrOfType<mlir::TypeAttr>("tsr.mixed");
  if (!narrow) return std::nullopt;
  auto residual = function->getAttrOfType<mlir::TypeAttr>("tsr.residual");
  mlir::Type sums = residual ? residual.getValue() : mlir::Float32Type::get(function->getContext());
  return MixedPrecision{llvm::cast<mlir::FloatType>(narrow.getValue()), llvm::cast<mlir::FloatType>(sums)};
}

// Has the float `wide` every number of `narrow`?
bool holds(mlir::Type wide, mlir::Type narrow);

// What `op` casts from a float of fewer than 32 bits; null for any other op.
mlir::Value widened_by(mlir::Operation* op);

// Does a user's cast widen some operand of it from another format than `narrow`, in front of views and pads? Such a
// contraction stays as it is: to round the operand would take bits that its own format has.
bool reads_another_format(mlir::Operation* contract, mlir::FloatType narrow);

}  // namespace tessera::ir
