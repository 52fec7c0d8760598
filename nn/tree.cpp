#include <tessera/nn/tree.h>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace tessera::nn {
namespace {

std::string title(const ModuleBase& module) {
  std::string details = module.details();
  return details.empty() ? module.type() : module.type() + "(" + details + ")";
}

// What two modules must share to be shown once.
std::string fingerprint(const ModuleBase& module) {
  std::string out = title(module) + "{";
  for (const Param* param : module.own_parameters()) out += param->key() + param->shape().str();
  for (const ModuleBase* child : module.children()) out += child->name() + ":" + fingerprint(*child);
  return out + "}";
}

struct Entry {
  std::string name, what;
  int64_t parameters;
  const ModuleBase* module;
};

std::vector<Entry> entries(const ModuleBase& module) {
  std::vector<Entry> out;
  // The parameters of a layer follow from its details; those of a user's own module are news.
  if (module.details().empty())
    for (const Param* param : module.own_parameters())
      out.push_back({param->key(), "Param " + param->shape().str(), param->shape().numel(), nullptr});
  const auto& children = module.children();
  for (size_t i = 0; i < children.size();) {
    size_t end = i + 1;
    bool numbered = children[i]->name() == std::to_string(i);
    std::string print = numbered ? fingerprint(*children[i]) : "";
    while (numbered && end < children.size() && fingerprint(*children[end]) == print) ++end;
    std::string name = children[i]->name() + (end - i > 1 ? "…" + children[end - 1]->name() + " each" : "");
    out.push_back({std::move(name), title(*children[i]), children[i]->parameter_count(), children[i]});
    i = end;
  }
  return out;
}

void append(const ModuleBase& module, const std::string& indent, std::vector<TreeRow>& out) {
  std::vector<Entry> all = entries(module);
  for (const Entry& entry : all) {
    bool last = &entry == &all.back();
    out.push_back({indent + (last ? "└─ " : "├─ ") + entry.name, entry.what, entry.parameters, entry.module});
    if (entry.module) append(*entry.module, indent + (last ? "   " : "│  "), out);
  }
}

}  // namespace

std::vector<TreeRow> tree_rows(const ModuleBase& root) {
  std::vector<TreeRow> out{{root.name(), title(root), root.parameter_count(), &root}};
  append(root, "", out);
  return out;
}

std::string short_count(double value) {
  constexpr const char* units[] = {"", "k", "M", "G", "T", "P"};
  size_t unit = 0;
  while (std::fabs(value) >= 999.5 && unit + 1 < std::size(units)) value /= 1000, ++unit;
  return unit == 0 ? fmt::format("{:.0f}", value) : fmt::format("{:.3g}{}", value, units[unit]);
}

size_t columns_of(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}
std::string padded(std::string text, size_t columns) {
  size_t have = columns_of(text);
  return have < columns ? text + std::string(columns - have, ' ') : text;
}

std::string str(const ModuleBase& module) {
  std::string out;
  std::vector<TreeRow> rows = tree_rows(module);
  size_t label = 0, what = 0;
  for (const TreeRow& row : rows) {
    label = std::max(label, columns_of(row.label));
    what = std::max(what, columns_of(row.what));
  }
  for (const TreeRow& row : rows) {
    out += padded(row.label, label + 2);
    if (row.parameters > 0) out += padded(row.what, what + 2) + short_count(static_cast<double>(row.parameters));
    else out += row.what;
    out += '\n';
  }
  return out;
}

}  // namespace tessera::nn
