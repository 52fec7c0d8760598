#pragma once
// Where the elements of an operand lie, and how they are widened, as C++ expressions.

#include <string>

#include <tessera/codegen/cuda/contract/contraction.h>

namespace tessera::cuda {

// Some offset of an operand, or some point of the product, is more than 31 bits hold.
bool needs_wide_offsets(const Contraction& c);

// What `side` adds to the offset, in terms of the number `point` that counts its points: "m / 784 * 12544 + m % 784".
std::string offset_text(const Contraction& c, const codegen::Access& access, Side side, const std::string& point);

// A function from a stored element to one of a panel.
std::string widening_text(const ContractOperand& operand, mlir::Type stored, mlir::Type element);

}  // namespace tessera::cuda
