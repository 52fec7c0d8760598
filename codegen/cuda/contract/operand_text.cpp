#include <tessera/codegen/cuda/contract/operand_text.h>

#include <cstdint>

#include <fmt/format.h>

#include <tessera/codegen/cuda/rows/scalar_text.h>

namespace tessera::cuda {

bool needs_wide_offsets(const Contraction& c) {
  int64_t furthest = c.size(c.batch) * c.size(c.m) * c.size(c.n);
  for (const ContractOperand* operand : {&c.a, &c.b}) {
    int64_t reach = std::abs(operand->access.base);
    for (size_t d = 0; d < c.extent.size(); ++d) reach += std::abs(operand->access.stride[d]) * c.extent[d];
    furthest = std::max(furthest, reach);
  }
  return furthest > INT32_MAX - 100000;
}

std::string offset_text(const Contraction& c, const codegen::Access& access, Side side, const std::string& point) {
  // Dims that this access walks as one: their points, those of the dims behind, the stride.
  struct Walk {
    int64_t extent, inner, stride;
  };
  std::vector<Walk> walks;  // innermost first
  int64_t inner = 1;
  for (int d = side.end; d-- > side.begin;) {
    const int64_t extent = c.extent[static_cast<size_t>(d)], stride = access.stride[static_cast<size_t>(d)];
    if (!walks.empty() && stride == walks.back().stride * walks.back().extent) walks.back().extent *= extent;
    else walks.push_back({extent, inner, stride});
    inner *= extent;
  }
  std::string text;
  for (const Walk& walk : llvm::reverse(walks)) {
    if (walk.stride == 0) continue;
    std::string term = point;
    if (walk.inner != 1) term += fmt::format(" / {}", walk.inner);
    if (walk.inner * walk.extent != inner) term += fmt::format(" % {}", walk.extent);
    if (std::abs(walk.stride) != 1) term += fmt::format(" * {}", std::abs(walk.stride));
    text += text.empty() ? (walk.stride < 0 ? "-" : "") : (walk.stride < 0 ? " - " : " + ");
    text += term;
  }
  return text.empty() ? "0" : text;
}

std::string widening_text(const ContractOperand& operand, mlir::Type stored, mlir::Type element) {
  if (stored == element) return "[](" + type_text(stored) + " x) { return x; }";
  std::string value = "x";
  mlir::Type type = stored;
  for (mlir::Operation* op : operand.widening) {
    value = scalar_text(op, {value});
    type = op->getResult(0).getType();
  }
  if (type.isBF16() || type.isF16()) value = "widen(" + value + ")";  // a sum of theirs is f32
  return "[](" + type_text(stored) + " x) { return " + value + "; }";
}

}  // namespace tessera::cuda
