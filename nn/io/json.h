#pragma once
// JSON of files that we did not write: strict where the library is lenient. Private to nn/io.

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace tessera::io {

using Json = nlohmann::json;

// FileError naming `path` on malformed text, a key given twice, or nesting deeper than `depth`.
Json parse_json(const std::string& path, std::string_view text, int depth = 32);

// A member that must be there and be a whole number ≥ 0.
uint64_t unsigned_member(const std::string& path, const Json& object, const char* key);

}  // namespace tessera::io
