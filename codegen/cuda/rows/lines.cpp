#include <tessera/codegen/cuda/rows/lines.h>

#include <cctype>

namespace tessera::cuda {

void append(Lines& to, const Lines& lines, int depth) {
  for (const std::string& line : lines)
    to.push_back(line.starts_with("#") ? line : std::string(static_cast<size_t>(2 * depth), ' ') + line);
}

std::string parameter_list(const Lines& parameters, size_t width) {
  std::string text;
  for (const std::string& one : parameters) {
    const bool wraps = width + one.size() > 110;
    if (!text.empty()) text += wraps ? ",\n    " : ", ";
    width = wraps ? 4 + one.size() : width + one.size() + 2;
    text += one;
  }
  return text;
}

namespace {

bool mentions(const std::string& line, const std::string& name) {
  auto is_part = [&](size_t at) {
    return at < line.size() && (std::isalnum(static_cast<unsigned char>(line[at])) || line[at] == '_');
  };
  for (size_t at = line.find(name); at != std::string::npos; at = line.find(name, at + 1))
    if ((at == 0 || !is_part(at - 1)) && !is_part(at + name.size())) return true;
  return false;
}

}  // namespace

void drop_unused(Lines& lines) {
  for (size_t k = lines.size(); k-- > 0;) {
    const std::string& line = lines[k];
    const size_t depth = line.find_first_not_of(' ');
    if (depth == std::string::npos) continue;
    std::string name;
    for (const char* type : {"const int ", "const i64 "})
      if (line.compare(depth, 10, type) == 0) name = line.substr(depth + 10, line.find(' ', depth + 10) - depth - 10);
    bool is_used = name.empty();
    for (size_t j = k + 1; j < lines.size() && !is_used; ++j) {
      if (lines[j].starts_with("#")) continue;
      if (lines[j].find_first_not_of(' ') < depth) break;  // the scope ends
      is_used = mentions(lines[j], name);
    }
    if (!is_used) lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(k));
  }
}

}  // namespace tessera::cuda
