#include <tessera/ir/import/origin.h>

#include <algorithm>

#include "mlir/IR/Builders.h"

namespace tessera::ir {

mlir::Location with_origin(mlir::Location place, int instruction) {
  mlir::Builder b(place.getContext());
  return mlir::FusedLoc::get({place}, b.getI64IntegerAttr(instruction), place.getContext());
}

void add_origins(mlir::Location location, std::vector<int>& out) {
  if (auto name = llvm::dyn_cast<mlir::NameLoc>(location)) return add_origins(name.getChildLoc(), out);
  if (auto call = llvm::dyn_cast<mlir::CallSiteLoc>(location)) return add_origins(call.getCallee(), out);
  auto fused = llvm::dyn_cast<mlir::FusedLoc>(location);
  if (!fused) return;
  if (auto number = llvm::dyn_cast_or_null<mlir::IntegerAttr>(fused.getMetadata())) {
    const int instruction = static_cast<int>(number.getInt());
    if (std::find(out.begin(), out.end(), instruction) == out.end()) out.push_back(instruction);
    return;
  }
  for (mlir::Location part : fused.getLocations()) add_origins(part, out);
}

}  // namespace tessera::ir
