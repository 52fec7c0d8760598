#pragma once
// Keys: BLAKE3 of text that says what a thing depends on.

#include <string>
#include <string_view>

#include <tessera/codegen/cpu/target.h>

namespace tessera::codegen {

struct Form;

std::string blake3_hex(std::string_view bytes);
// Changes whenever the library that compiles changes: its linker build id.
const std::string& library_build_id();

// The body as text: ops, attributes and types; no locations, no names, nothing that is a launch parameter.
std::string body_text(const Form& form);
std::string row_kernel_key(const Form& form, const Target& target);

}  // namespace tessera::codegen
