#include <tessera/nn/glob.h>

#include <fnmatch.h>

namespace tessera::nn {

bool glob_match(std::string_view pattern, const std::string& name) {
  for (;;) {
    size_t bar = pattern.find('|');
    if (fnmatch(std::string(pattern.substr(0, bar)).c_str(), name.c_str(), 0) == 0) return true;
    if (bar == std::string_view::npos) return false;
    pattern.remove_prefix(bar + 1);
  }
}

}  // namespace tessera::nn
