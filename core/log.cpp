#include <tessera/core/log.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace tessera {

bool log_enabled(std::string_view topic) {
  static const std::string topics = [] {
    const char* value = std::getenv("TESSERA_LOG");
    return std::string(value ? value : "recompile");
  }();
  if (topics == "all") return true;
  for (size_t at = 0; at < topics.size();) {
    size_t comma = std::min(topics.find(',', at), topics.size());
    if (std::string_view(topics).substr(at, comma - at) == topic) return true;
    at = comma + 1;
  }
  return false;
}

void log_line(std::string_view topic, const std::string& text) {
  if (log_enabled(topic))
    std::fprintf(stderr, "tessera %.*s: %s\n", static_cast<int>(topic.size()), topic.data(), text.c_str());
}

}  // namespace tessera
