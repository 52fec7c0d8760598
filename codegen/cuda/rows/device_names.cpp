#include <tessera/codegen/cuda/rows/device_names.h>

#include <cctype>
#include <sstream>
#include <string_view>

#include <tessera/codegen/cuda/runtime/device_header.h>

namespace tessera::cuda {
namespace {

// The function that a line of the header declares, if it does: what lies in a class is indented.
std::string_view declared_by(std::string_view line) {
  constexpr std::string_view marker = "TESSERA_DEVICE ";
  const size_t at = line.find(marker);
  if (at == std::string_view::npos || line.starts_with(' ') || line.starts_with('#')) return {};
  const size_t end = line.find('(', at);
  if (end == std::string_view::npos) return {};
  size_t first = end;
  while (first > at && (std::isalnum(static_cast<unsigned char>(line[first - 1])) || line[first - 1] == '_')) --first;
  return line.substr(first, end - first);
}

}  // namespace

const std::unordered_set<std::string>& device_functions() {
  static const std::unordered_set<std::string> functions = [] {
    std::unordered_set<std::string> found;
    for (const DeviceHeaderFile& file : device_header()) {
      std::istringstream text{std::string(file.text)};
      for (std::string line; std::getline(text, line);)
        if (const std::string_view name = declared_by(line); !name.empty()) found.emplace(name);
    }
    return found;
  }();
  return functions;
}

}  // namespace tessera::cuda
