#include <tessera/codegen/cuda/rows/names.h>

#include <cctype>

#include <fmt/format.h>

namespace tessera::cuda {

std::string Names::identifier(const std::string& wanted) {
  std::string name;
  for (char c : wanted) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0]))) name = "x" + name;
  static const std::set<std::string> taken = {
      "row",   "column",  "row_end", "group",   "t",       "i",       "c",       "errors",         "left",
      "first", "split",   "next",    "int",     "float",   "bool",    "double",  "load",           "load_once",
      "store", "uniform", "divide",  "minimum", "maximum", "log2",    "exp2",    "block",          "tensor",
      "held",  "log2_e",  "vectors", "bring",   "slot",    "arrived", "sigmoid", "rest_of_sigmoid"};
  std::string unique = name;
  for (int n = 2; taken.contains(unique) || !used_.insert(unique).second; ++n) unique = fmt::format("{}_{}", name, n);
  return unique;
}

std::string Names::numbered(const std::string& word) { return identifier(fmt::format("{}_{}", word, ++count_[word])); }

}  // namespace tessera::cuda
