#pragma once
// The name of a program in the disk cache.

#include <string>
#include <string_view>

#include <tessera/core/program.h>

namespace tessera::codegen {

// BLAKE3 of the computation (ops, attributes, shapes, dtypes, wiring, donations, policy), of the library that compiles
// it, of the machine, and of the device if it is for one ("cuda sm_90a"). Places in user code are left out, as in
// Program::hash().
std::string program_key(const Program& program, std::string_view device = "");

}  // namespace tessera::codegen
