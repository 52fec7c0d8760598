#include <tessera/codegen/cuda/rows/addresses.h>

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>

namespace tessera::cuda {

using codegen::Access;
using codegen::has;
using Kind = RowSchedule::Kind;

Addresses::Addresses(const codegen::Form& form, const RowSchedule& schedule, std::vector<std::string> dims)
    : form_(form), s_(schedule), dim_name_(std::move(dims)) {
  is_wide_ = needs_wide_offsets();
  if (dim_name_.empty()) name_dims();
}

bool Addresses::needs_wide_offsets() const {
  int64_t furthest = s_.rows * std::max<int64_t>(1, s_.columns);
  auto look = [&](const Access& access) {
    int64_t reach = std::abs(access.base);
    if (!access.linear()) reach = int64_t{1} << 40;  // not worth an analysis
    for (size_t d = 0; d < access.stride.size(); ++d) reach += std::abs(access.stride[d]) * form_.extent[d];
    furthest = std::max(furthest, reach);
  };
  for (const Access& access : form_.in) look(access);
  for (const Access& access : form_.out) look(access);
  for (const Access& access : form_.index) look(access);
  return furthest > INT32_MAX - 100000;
}

void Addresses::name_dims() {
  for (int d = 0; d < form_.dims(); ++d) dim_name_.push_back(fmt::format("d{}", d));
  if (s_.kind == Kind::points) {
    if (form_.dims() == 1) dim_name_[0] = "first";
    return;
  }
  if (s_.row_dims.size() == 1) dim_name_[static_cast<size_t>(s_.row_dims[0])] = "row";
  if (s_.inner_dims.size() == 1) dim_name_[static_cast<size_t>(s_.inner_dims[0])] = "column";
}

std::string Addresses::dim_text(int d, bool at_lane) const {
  const std::string& name = dim_name_[static_cast<size_t>(d)];
  return at_lane && d == s_.vector_dim && s_.width > 1 ? name + " + i" : name;
}

std::string Addresses::affine_text(mlir::AffineExpr expr, bool at_lane) const {
  if (auto constant = mlir::dyn_cast<mlir::AffineConstantExpr>(expr))
    return fmt::format("i64({})", constant.getValue());
  if (auto dim = mlir::dyn_cast<mlir::AffineDimExpr>(expr)) {
    const int d = form_.of_kernel[dim.getPosition()];
    return d < 0 ? "i64(0)" : "i64(" + dim_text(d, at_lane) + ")";
  }
  auto binary = mlir::cast<mlir::AffineBinaryOpExpr>(expr);
  const std::string x = affine_text(binary.getLHS(), at_lane), y = affine_text(binary.getRHS(), at_lane);
  switch (binary.getKind()) {
    case mlir::AffineExprKind::Add: return "(" + x + " + " + y + ")";
    case mlir::AffineExprKind::Mul: return x + " * " + y;
    case mlir::AffineExprKind::Mod: return "floor_remainder(" + x + ", " + y + ")";
    case mlir::AffineExprKind::FloorDiv: return "floor_divide(" + x + ", " + y + ")";
    default: return "-floor_divide(-" + x + ", " + y + ")";
  }
}

std::string Addresses::offset(const Access& access, bool at_lane) const {
  if (!access.linear()) return affine_text(access.expression, at_lane);
  std::string text = access.base != 0 ? fmt::format("{}", access.base) : "";
  for (int d = 0; d < form_.dims(); ++d) {
    const int64_t stride = access.stride[static_cast<size_t>(d)];
    if (stride == 0) continue;
    std::string term = dim_text(d, at_lane);
    if (std::abs(stride) != 1) {
      if (term.find(' ') != std::string::npos) term = "(" + term + ")";
      term += fmt::format(" * {}", std::abs(stride));
    } else if (stride < 0 && term.find(' ') != std::string::npos) {
      term = "(" + term + ")";
    }
    text += text.empty() ? (stride < 0 ? "-" : "") : (stride < 0 ? " - " : " + ");
    text += term;
  }
  return text.empty() ? "0" : text;
}

std::string Addresses::pointer(const std::string& base, const Access& access) const {
  const std::string at = offset(access, false);
  return at == "0" ? base : base + " + " + at;
}

std::string Addresses::element(const std::string& base, const Access& access, bool at_lane) const {
  return base + "[" + offset(access, at_lane) + "]";
}

std::string Addresses::writer_condition(const Access& access, bool at_lane) const {
  std::string text;
  if (!access.linear()) return text;
  for (int d = 0; d < form_.dims(); ++d) {
    if (access.stride[static_cast<size_t>(d)] != 0) continue;
    if (s_.kind != Kind::points && !at_lane && has(form_.inner_set(), d)) continue;  // one thread writes
    text += (text.empty() ? "" : " && ") + dim_text(d, at_lane) + " == 0";
  }
  return text;
}

void Addresses::decode(Lines& to, const std::string& linear, const std::vector<int>& dims, int64_t last_width) const {
  std::string rest = linear;
  for (size_t k = dims.size(); k-- > 0;) {
    const auto d = static_cast<size_t>(dims[k]);
    const bool is_last = k + 1 == dims.size();
    const int64_t count = is_last ? (form_.extent[d] + last_width - 1) / last_width : form_.extent[d];
    std::string text = k == 0 ? rest : fmt::format("{} % {}", rest, count);
    if (is_last && last_width > 1) text += fmt::format(" * {}", last_width);
    if (dim_name_[d] != text) to.push_back(fmt::format("const {} {} = {};", offset_type(), dim_name_[d], text));
    if (k > 0) rest = fmt::format("{} / {}", rest, count);
  }
}

void Addresses::decode_columns(Lines& to) const {
  std::string rest = "column";
  for (size_t k = s_.inner_dims.size(); k-- > 0;) {
    const auto d = static_cast<size_t>(s_.inner_dims[k]);
    to.push_back(
        fmt::format("const int {} = {};", dim_name_[d], k == 0 ? rest : fmt::format("{} % {}", rest, form_.extent[d])));
    if (k > 0) rest = fmt::format("{} / {}", rest, form_.extent[d]);
  }
}

}  // namespace tessera::cuda
