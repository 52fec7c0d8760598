#include <tessera/codegen/cuda/cascade/statements.h>

#include <cmath>
#include <cstdlib>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <fmt/format.h>

#include <tessera/codegen/cpu/cascade_form.h>
#include <tessera/codegen/cuda/rows/scalar_text.h>
#include <tessera/codegen/cuda/rows/unsupported.h>

namespace tessera::cuda {
namespace {

std::string inside(const std::string& text) { return text.find(' ') == std::string::npos ? text : "(" + text + ")"; }

// Indices are never negative.
std::string text_of(mlir::AffineExpr expr, const std::vector<std::string>& dims) {
  if (auto constant = mlir::dyn_cast<mlir::AffineConstantExpr>(expr)) return fmt::format("{}", constant.getValue());
  if (auto dim = mlir::dyn_cast<mlir::AffineDimExpr>(expr)) return dims[dim.getPosition()];
  auto binary = mlir::cast<mlir::AffineBinaryOpExpr>(expr);
  const std::string x = inside(text_of(binary.getLHS(), dims)), y = inside(text_of(binary.getRHS(), dims));
  switch (expr.getKind()) {
    case mlir::AffineExprKind::Add: return x + " + " + y;
    case mlir::AffineExprKind::Mul: return x + " * " + y;
    case mlir::AffineExprKind::Mod: return x + " % " + y;
    case mlir::AffineExprKind::FloorDiv: return x + " / " + y;
    default: throw Unsupported{"an index of a plane that is rounded up"};
  }
}

void add_term(std::string& text, int64_t factor, std::string term) {
  if (std::abs(factor) != 1) term = fmt::format("{} * {}", inside(term), std::abs(factor));
  else if (factor < 0) term = inside(term);
  text += text.empty() ? (factor < 0 ? "-" : "") : (factor < 0 ? " - " : " + ");
  text += term;
}

}  // namespace

std::string offset_text(mlir::AffineMap map, const std::vector<std::string>& dims) {
  const codegen::AffineTerms terms(map);
  std::string text;
  for (size_t d = 0; d < terms.stride.size(); ++d)
    if (terms.stride[d] != 0 && dims[d] != "0") add_term(text, terms.stride[d], dims[d]);
  for (const auto& [factor, expr] : terms.rest) add_term(text, factor, inside(text_of(expr, dims)));
  if (terms.constant != 0 || text.empty())
    text += text.empty() ? fmt::format("{}", terms.constant)
                         : fmt::format(" {} {}", terms.constant < 0 ? "-" : "+", std::abs(terms.constant));
  return text;
}

std::string Statements::name_of(mlir::Value value) {
  if (auto found = name_.find(value); found != name_.end()) return found->second;
  if (auto found = decided_.find(value); found != decided_.end()) return found->second ? "true" : "false";
  if (const std::optional<std::string> known = here_(value)) return name_[value] = *known;
  if (auto argument = mlir::dyn_cast<mlir::BlockArgument>(value)) {
    const std::string& base = words_.words.inputs[argument.getArgNumber()];
    const std::string here = names_.identifier(base + "_at");
    lines.push_back(fmt::format("const {} {} = {}[{}];", type_text(value.getType()), here, base,
                                offset_text(c_.in_map(argument.getArgNumber()), words_.dims)));
    return name_[value] = here;
  }
  mlir::Operation* op = value.getDefiningOp();
  if (auto constant = mlir::dyn_cast<mlir::arith::ConstantOp>(op)) return literal_text(constant.getValue());
  if (auto select = mlir::dyn_cast<mlir::arith::SelectOp>(op))
    if (auto found = decided_.find(select.getCondition()); found != decided_.end())
      return name_of(found->second ? select.getTrueValue() : select.getFalseValue());
  return name_[value] = statement(op);
}

void Statements::decide(const llvm::SmallVector<std::pair<mlir::Value, bool>, 4>& conditions) {
  for (const auto& [condition, side] : conditions) decided_[condition] = side;
}

std::string Statements::step(fuse::RepairOp repair, const std::string& old, const std::string& now) {
  mlir::Block& region = repair.getFactor().front();
  call(region.getArgument(0), old);
  call(region.getArgument(1), now);
  return name_of(region.getTerminator()->getOperand(0));
}

std::string Statements::statement(mlir::Operation* op) {
  std::string text;
  if (auto index = mlir::dyn_cast<fuse::IndexOp>(op)) {
    text = offset_text(index.getMap(), words_.dims);
  } else if (auto picked = mlir::dyn_cast<fuse::LoadAtOp>(op)) {
    text = picked_text(picked);
  } else if (auto random = mlir::dyn_cast<fuse::RandomOp>(op)) {
    text = random_text(random);
  } else if (auto exponential = exponential_text(op)) {
    text = *exponential;
  } else {
    std::vector<std::string> operands;
    for (mlir::Value operand : op->getOperands()) operands.push_back(name_of(operand));
    try {
      const std::optional<std::string> by_power_of_two = text_by_power_of_two(op, operands);
      text = by_power_of_two ? *by_power_of_two : scalar_text(op, operands);
    } catch (Unsupported& found) {
      found.op = op;
      throw;
    }
  }
  const std::string name = names_.numbered(word_of(op));
  lines.push_back(fmt::format("const {} {} = {};{}", type_text(op->getResult(0).getType()), name, text, comment(op)));
  return name;
}

// What a mask lets through, where that is known.
mlir::Value Statements::chosen(mlir::Value value) const {
  while (auto select = value.getDefiningOp<mlir::arith::SelectOp>()) {
    const auto found = decided_.find(select.getCondition());
    if (found == decided_.end()) break;
    value = found->second ? select.getTrueValue() : select.getFalseValue();
  }
  return value;
}

// e^(c · score − y) as one power of 2 of one sum: wrong by |c · score| · 2⁻²⁴ and |y| · 2⁻²⁴, as far as a score that was
// rounded is. Not of what biases or finite fills make of a score: −10³⁸ times log₂ e leaves the range. Nor of products
// of f32, whose scores forward and backward would then differ by as much.
std::optional<std::string> Statements::exponential_text(mlir::Operation* op) {
  auto exp = mlir::dyn_cast<mlir::math::ExpOp>(op);
  auto difference = exp ? exp.getOperand().getDefiningOp<mlir::arith::SubFOp>() : nullptr;
  if (!difference || !exp.getType().isF32() || c_.is_of_plane(difference.getRhs())) return std::nullopt;
  const mlir::Value x = difference.getLhs(), let_through = chosen(x);
  if (!is_plain_score(x) || has_f32_products()) return std::nullopt;
  const std::string y = name_of(difference.getRhs());
  // A factor that nobody else needs is one with log₂ e.
  const mlir::FloatAttr factor = factor_of(let_through);
  if (factor && let_through.hasOneUse() && (let_through == x || x.hasOneUse()))
    return fmt::format("exp2(::fmaf({}, {} * log2_e, -log2_e * {}))",
                       name_of(let_through.getDefiningOp()->getOperand(0)), literal_text(factor), y);
  return fmt::format("exp2(::fmaf({}, log2_e, -log2_e * {}))", name_of(x), y);
}

// c of score · c; null if it is something else.
mlir::FloatAttr Statements::factor_of(mlir::Value value) {
  auto scaled = value.getDefiningOp<mlir::arith::MulFOp>();
  if (!scaled || !scaled.getLhs().getDefiningOp<fuse::ContractOp>()) return {};
  auto factor = scaled.getRhs().getDefiningOp<mlir::arith::ConstantOp>();
  if (!factor) return {};
  const auto c = mlir::cast<mlir::FloatAttr>(factor.getValue());
  return std::abs(c.getValueAsDouble()) < 1e6 && std::abs(c.getValueAsDouble()) > 1e-6 ? c : mlir::FloatAttr();
}

bool Statements::has_f32_products() const {
  return llvm::any_of(c_.row_operands, [](const PlaneOperand& one) { return one.element.isF32(); });
}

// A score, scaled or hidden by −∞.
bool Statements::is_plain_score(mlir::Value value) {
  if (value.getDefiningOp<fuse::ContractOp>() || factor_of(value)) return true;
  auto is_infinite = [](mlir::Value fill) {
    auto constant = fill.getDefiningOp<mlir::arith::ConstantOp>();
    return constant && std::isinf(mlir::cast<mlir::FloatAttr>(constant.getValue()).getValueAsDouble());
  };
  auto select = value.getDefiningOp<mlir::arith::SelectOp>();
  if (!select) return false;
  return (is_plain_score(select.getTrueValue()) && is_infinite(select.getFalseValue())) ||
         (is_plain_score(select.getFalseValue()) && is_infinite(select.getTrueValue()));
}

std::string Statements::picked_text(fuse::LoadAtOp op) {
  auto source = mlir::cast<mlir::BlockArgument>(op.getSource());
  mlir::ArrayRef<int64_t> shape = mlir::cast<mlir::RankedTensorType>(source.getType()).getShape();
  std::string at;
  for (auto [d, index] : llvm::enumerate(op.getIndices())) {
    const std::string i = name_of(index);
    auto site = words_.first_word.find(op);
    const std::string within =
        site == words_.first_word.end()
            ? fmt::format("clamped({}, {})", i, shape[d])
            : fmt::format("checked({}, {}, errors + {})", i, shape[d], site->second + 2 * static_cast<int>(d));
    at = at.empty() ? within : fmt::format("({}) * {} + {}", at, shape[d], within);
  }
  return words_.words.inputs[source.getArgNumber()] + "[" + (at.empty() ? "0" : at) + "]";
}

std::string Statements::random_text(fuse::RandomOp op) {
  const std::string bits =
      fmt::format("random_bits({}, {:#x}ull, {}, {})", name_of(op.getSeed()), static_cast<uint64_t>(op.getStream()),
                  name_of(op.getStep()), name_of(op.getElement()));
  return op.getType().isF32() ? "uniform(" + bits + ")" : "static_cast<int>(" + bits + ")";
}

std::string Statements::comment(mlir::Operation* op) {
  if (!words_.words.line_of) return "";
  const std::string line = words_.words.line_of(op);
  if (line.empty() || line == last_line_) return "";
  last_line_ = line;
  return "  // " + line;
}

}  // namespace tessera::cuda
