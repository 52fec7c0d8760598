#pragma once
// The disk cache: files named by the key of what they hold, under TESSERA_CACHE_DIR (default ~/.cache/tessera; 0: off).
//
//   <dir>/<2 hex>/<key>.<kind>      magic, version, key, length, BLAKE3 of the payload, payload
//
// A writer fills a temporary file beside it, syncs and renames: readers see all or nothing, and the last of several
// writers wins with the same content. A file that is not what it claims is deleted and counts as absent. Failing to
// write is no error: the cache only saves time.
//
// It holds at most 2 GiB: a process that writes looks at its first write and after every 64 MiB, and removes what was
// not used for longest until a tenth is free. One process at a time does, under a lock on <dir>/lock.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tessera::codegen {

std::optional<std::string> read_cached(const std::string& key, std::string_view kind);
std::optional<std::string> peek_cached(const std::string& key, std::string_view kind);  // the same, but no use of it
void write_cached(const std::string& key, std::string_view kind, std::string_view payload);
std::string cache_directory();  // "" when off
// Why the directory is not used: what is read there is run as code, so it must be ours alone. "" when it is fine.
std::string cache_refusal();

struct CachedFile {
  std::string path, key, kind;
  int64_t bytes = 0;
  int64_t used = 0;  // nanoseconds: when it was last read or written
};
std::vector<CachedFile> cached_files();

constexpr int64_t cache_limit = int64_t{2} << 30;
// Removes the files used longest ago until nine tenths of `limit` are left, if there is more than `limit`; 0 empties
// it. Returns the bytes removed. Does nothing while another process is at it, unless it shall `wait`.
int64_t trim_cache(int64_t limit, bool wait);

}  // namespace tessera::codegen
