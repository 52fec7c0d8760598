#pragma once
// The module tree as rows of text, for printing and for summaries. Equal neighbours in a List share one row, "0…5 each",
// which describes one of them.

#include <string>
#include <string_view>
#include <vector>

#include <tessera/nn/module.h>

namespace tessera::nn {

struct TreeRow {
  std::string label;         // "│  ├─ attn"
  std::string what;          // "Attention(256, heads 8)"
  int64_t parameters;        // elements, everything below included
  const ModuleBase* module;  // null for a Param's own row
};
std::vector<TreeRow> tree_rows(const ModuleBase& root);

std::string short_count(double);      // 1234567 is "1.23M"
size_t columns_of(std::string_view);  // of UTF-8 text on a terminal, one per character
std::string padded(std::string text, size_t columns);

}  // namespace tessera::nn
