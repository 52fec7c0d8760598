#pragma once
// Functions of f32 as straight-line polynomials, for scalars and vectors alike; the error stands at each, measured
// against f64 by tests/codegen/math_test.cpp. f64 goes to libm, lane by lane.

#include "llvm/ADT/StringRef.h"

#include <tessera/codegen/cpu/code.h>

namespace tessera::codegen {

// `op` is "exp", "log1p", …, the name of a math op without its dialect. Null when this file does not know it.
Value call_math(Code& code, llvm::StringRef op, llvm::ArrayRef<Value> operands);

}  // namespace tessera::codegen
