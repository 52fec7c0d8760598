#pragma once
// Whole files: read with limits, written so that a reader sees the old file or the new one and nothing between.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <tessera/core/location.h>

namespace tessera::io {

// FileError with the path and the reason; `hint` may say what to do.
[[noreturn]] void fail(const std::string& path, const std::string& reason, const std::string& hint = {});

// FileError for a file that is not there; the hint says where a relative path was looked for.
[[noreturn]] void fail_missing(const std::string& path);

std::string read_file(const std::string& path, Loc at = Loc::here());
// Runs `write` on a temporary neighbour, syncs it to the disk and renames it over `path`.
using Append = std::function<void(std::string_view)>;
void write_file(const std::string& path, const std::function<void(const Append&)>& write);
void write_file(const std::string& path, std::string_view content);

// Makes a rename in `folder` durable.
void sync_folder(const std::string& folder);

}  // namespace tessera::io
