#include <tessera/codegen/cuda/rows/names.h>

#include <cctype>
#include <unordered_set>

#include <fmt/format.h>

#include <tessera/codegen/cuda/rows/device_names.h>

namespace tessera::cuda {
namespace {

// Of the texts themselves, of CUDA, and the words of C++ that a label may well be.
const std::unordered_set<std::string> taken = {
    "row",       "column",  "row_end",  "group",    "t",        "i",      "c",       "errors",   "left",     "first",
    "split",     "next",    "held",     "vectors",  "arrived",  "tensor", "block",   "slot",     "log2_e",   "infinity",
    "bytes_of",  "min",     "max",      "gridDim",  "int",      "float",  "bool",    "ask",      "bring",    "of_block",
    "double",    "char",    "short",    "long",     "unsigned", "signed", "void",    "auto",     "const",    "static",
    "inline",    "extern",  "volatile", "register", "if",       "else",   "for",     "while",    "do",       "switch",
    "case",      "default", "break",    "continue", "goto",     "return", "true",    "false",    "new",      "delete",
    "this",      "class",   "struct",   "union",    "enum",     "using",  "typedef", "typename", "template", "operator",
    "namespace", "friend",  "private",  "public",   "try",      "catch",  "throw",   "and",      "or",       "not",
    "xor",       "concept", "requires"};

}  // namespace

std::string Names::identifier(const std::string& wanted) {
  std::string name;
  for (char c : wanted) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0]))) name = "x" + name;
  std::string unique = name;
  for (int n = 2; taken.contains(unique) || device_functions().contains(unique) || !used_.insert(unique).second; ++n)
    unique = fmt::format("{}_{}", name, n);
  return unique;
}

std::string Names::numbered(const std::string& word) { return identifier(fmt::format("{}_{}", word, ++count_[word])); }

}  // namespace tessera::cuda
