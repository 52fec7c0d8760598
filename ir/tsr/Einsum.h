#pragma once
// The attributes of tsr.contract as C++ values: words from the string, relations from "h = 2p + 1r - 1".

#include <optional>
#include <vector>

#include "mlir/IR/BuiltinAttributes.h"

#include <tessera/core/attrs.h>
#include <tessera/core/einsum.h>

namespace tessera::tsr {

std::string print_relation(const WindowRelation&);
std::optional<WindowRelation> parse_relation(llvm::StringRef text);
// Relations of a verified tsr.contract.
std::vector<WindowRelation> relations_of(mlir::ArrayAttr windows);

}  // namespace tessera::tsr
