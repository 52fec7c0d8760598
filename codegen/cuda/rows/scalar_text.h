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
// Is it e^(x − y) in f32, or that of a sigmoid? These are printed as one power of 2: a difference is rounded by as much as that
// is wrong, |x| · 2^-24 of e^x, and so is the x of a sigmoid. Nothing for other ops.
bool is_power_of_two(mlir::Operation* op);
std::optional<std::string> text_by_power_of_two(mlir::Operation* op, const std::vector<std::string>& operands);
// What a reader would call the result: "add", "exp", "rounded".
std::string word_of(mlir::Operation* op);

std::string combine_name(mlir::Operation* reduce);  // "Sum"
std::string start_text(mlir::Operation* reduce);    // what nothing combines to
std::string combine_text(mlir::Operation* reduce, const std::string& x, const std::string& y);

}  // namespace tessera::cuda
