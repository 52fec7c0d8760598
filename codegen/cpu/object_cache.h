#pragma once
// The disk cache: files named by the key of what they hold, under TESSERA_CACHE_DIR (default ~/.cache/tessera; 0: off).
//
//   <dir>/<2 hex>/<key>.<kind>      magic, version, key, length, BLAKE3 of the payload, payload
//
// A writer fills a temporary file beside it, syncs and renames: readers see all or nothing, and the last of several
// writers wins with the same content. A file that is not what it claims is deleted and counts as absent. Failing to
// write is no error: the cache only saves time.

#include <optional>
#include <string>
#include <string_view>

namespace tessera::codegen {

std::optional<std::string> read_cached(const std::string& key, std::string_view kind);
void write_cached(const std::string& key, std::string_view kind, std::string_view payload);
std::string cache_directory();  // "" when off

}  // namespace tessera::codegen
