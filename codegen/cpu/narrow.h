#pragma once
// bf16 and f8 in registers are the integers of their bits; these two functions are the only arithmetic on them. The
// results equal core/convert.h bit for bit: round to nearest even, f8e4m3 saturates, NaN is the format's own.
// f16 is left to LLVM, which knows it on every machine.

#include <tessera/codegen/cpu/code.h>

namespace tessera::codegen {

bool is_narrow(Type type);                           // bf16, f8E4M3FN, f8E5M2
Value widen(Code& code, Value held, Type narrow);    // → f32
Value narrow(Code& code, Value value, Type narrow);  // f32 → bits
// f64 → f32, but an inexact result ends in an odd bit: rounding it again to a narrower type cannot go wrong.
Value round_to_odd(Code& code, Value value);

}  // namespace tessera::codegen
