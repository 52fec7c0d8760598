#pragma once
// Philox4x32-10 in a kernel, for scalars and vectors: the same bits as core/random.h.

#include <tessera/codegen/cpu/code.h>

namespace tessera::codegen {

// The 32 random bits of `element` (i64); seed, stream and step are i64 scalars.
Value random_bits(Code& code, Value seed, Value stream, Value step, Value element);
Value uniform_from_bits(Code& code, Value bits);  // f32 in [0, 1)

}  // namespace tessera::codegen
