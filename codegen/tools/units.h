#pragma once
// Sizes and ages as people write them.

#include <cstdint>
#include <string>

#include <fmt/format.h>

namespace tessera::tools {

inline std::string size_text(int64_t bytes) {
  auto x = static_cast<double>(bytes);
  if (bytes >= int64_t{1} << 30) return fmt::format("{:.1f} GiB", x / (1 << 30));
  if (bytes >= 1 << 20) return fmt::format("{:.1f} MiB", x / (1 << 20));
  if (bytes >= 1 << 10) return fmt::format("{:.1f} KiB", x / (1 << 10));
  return fmt::format("{} B", bytes);
}

inline std::string age_text(int64_t seconds) {
  if (seconds >= 2 * 86400) return fmt::format("{} days", seconds / 86400);
  if (seconds >= 2 * 3600) return fmt::format("{} hours", seconds / 3600);
  if (seconds >= 2 * 60) return fmt::format("{} minutes", seconds / 60);
  return fmt::format("{} s", seconds);
}

}  // namespace tessera::tools
