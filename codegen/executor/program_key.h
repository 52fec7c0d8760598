#pragma once
// The name of a program in the disk cache.

#include <string>

#include <tessera/core/program.h>

namespace tessera::codegen {

// BLAKE3 of the computation (ops, attributes, shapes, dtypes, wiring, donations, policy), of the library that compiles
// it and of the machine. Places in user code are left out, as in Program::hash().
std::string program_key(const Program& program);

}  // namespace tessera::codegen
