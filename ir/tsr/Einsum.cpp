#include <tessera/ir/tsr/Einsum.h>

#include "llvm/ADT/StringExtras.h"

namespace tessera::tsr {

std::string print_relation(const WindowRelation& w) {
  return std::string(1, w.in) + " = " + std::to_string(w.stride) + w.out + " + " + std::to_string(w.dilation) + w.tap +
         " - " + std::to_string(w.pad);
}

std::optional<WindowRelation> parse_relation(llvm::StringRef text) {
  WindowRelation w{};
  auto letter = [&](char& to) {
    text = text.ltrim();
    if (text.empty() || !llvm::isAlpha(text.front())) return false;
    to = text.front();
    text = text.drop_front();
    return true;
  };
  auto word = [&](llvm::StringRef wanted) {
    text = text.ltrim();
    return text.consume_front(wanted);
  };
  auto number = [&](int64_t& to) {
    text = text.ltrim();
    return !text.consumeInteger(10, to);
  };
  if (letter(w.in) && word("=") && number(w.stride) && letter(w.out) && word("+") && number(w.dilation) &&
      letter(w.tap) && word("-") && number(w.pad) && text.trim().empty())
    return w;
  return std::nullopt;
}

std::vector<WindowRelation> relations_of(mlir::ArrayAttr windows) {
  std::vector<WindowRelation> relations;
  for (mlir::Attribute text : windows)
    relations.push_back(*parse_relation(llvm::cast<mlir::StringAttr>(text).getValue()));
  return relations;
}

}  // namespace tessera::tsr
