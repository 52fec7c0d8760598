#pragma once
// One op of a kernel's body as a C++ expression on named operands, in the words of device/scalar.cuh.

#include <optional>
#include <string>
#include <vector>

#include "mlir/IR/Operation.h"

namespace tessera::cuda {

std::string type_text(mlir::Type type);  // "float", "bf16", "i64", …
std::string literal_text(mlir::Attribute value);
// `operands` are names or literals. Throws Unsupported for an op or type that has no spelling yet.
std::string scalar_text(mlir::Operation* op, const std::vector<std::string>& operands);
// e^(x − y) in f32, and that of a sigmoid, as one power of 2; nothing for other ops. A difference is rounded by as much as
// this is wrong, |x| · 2^-24 of e^x, and so is the x of a sigmoid.
std::optional<std::string> text_by_power_of_two(mlir::Operation* op, const std::vector<std::string>& operands);
// What a reader would call the result: "add", "exp", "rounded".
std::string word_of(mlir::Operation* op);

std::string combine_name(mlir::Operation* reduce);  // "Sum"
std::string start_text(mlir::Operation* reduce);    // what nothing combines to
std::string combine_text(mlir::Operation* reduce, const std::string& x, const std::string& y);

}  // namespace tessera::cuda
