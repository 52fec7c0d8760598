#include <tessera/codegen/cuda/rows/values_text.h>

#include <cmath>

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <fmt/format.h>

#include <tessera/codegen/cpu/launch.h>
#include <tessera/codegen/cuda/rows/scalar_text.h>
#include <tessera/codegen/cuda/rows/tanh_text.h>
#include <tessera/codegen/cuda/rows/unsupported.h>
#include <tessera/core/error.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::cuda {

using codegen::Access;
using Kind = RowSchedule::Kind;

namespace {

KernelWords as_identifiers(KernelWords words, Names& names) {
  for (const std::string& name : words.taken) names.identifier(name);
  for (std::string& name : words.inputs) name = names.identifier(name);
  for (std::string& name : words.results) name = names.identifier(name);
  return words;
}

fuse::IndexOp place_of(mlir::Value value) {
  if (auto narrow = value.getDefiningOp<mlir::arith::TruncIOp>()) value = narrow.getIn();
  if (auto cast = value.getDefiningOp<mlir::arith::IndexCastOp>()) value = cast.getIn();
  return value.getDefiningOp<fuse::IndexOp>();
}

}  // namespace

ValuesText::ValuesText(const codegen::Form& form_of, const codegen::Stages& stages_of, const RowSchedule& schedule_of,
                       KernelWords called)
    : form(form_of),
      stages(stages_of),
      schedule(schedule_of),
      words(as_identifiers(std::move(called), names)),
      addresses(form_of, schedule_of, words.dims),
      yield(form_of.body->getTerminator()) {
  for (const codegen::Column& column : stages.columns)
    column_names.push_back(names.numbered(word_of(column.reduce) + "_of_rows"));
  for (const codegen::ErrorSite& site : codegen::error_sites(*form.body)) first_word_[site.op] = site.first_word;
}

mlir::Type ValuesText::result_type(unsigned k) const {
  auto kernel = mlir::cast<fuse::KernelOp>(form.body->getParentOp());
  return mlir::cast<mlir::RankedTensorType>(kernel->getResult(k).getType()).getElementType();
}

codegen::DimSet ValuesText::lane_dims() const {
  if (schedule.kind != Kind::points) return form.inner_set();
  return schedule.vector_dim < 0 || schedule.width == 1 ? 0 : codegen::bit(schedule.vector_dim);
}

std::string ValuesText::comment(mlir::Operation* op) {
  if (!op || !words.line_of) return "";
  const std::string line = words.line_of(op);
  if (line.empty() || line == last_line_) return "";
  last_line_ = line;
  return "  // " + line;
}

std::string ValuesText::name_of(mlir::Value value) {
  if (auto found = row_name_.find(value); found != row_name_.end()) return found->second;
  if (auto found = lane_name_.find(value); found != lane_name_.end()) return found->second;
  mlir::Operation* op = value.getDefiningOp();
  if (!op) return argument(mlir::cast<mlir::BlockArgument>(value));
  if (auto constant = mlir::dyn_cast<mlir::arith::ConstantOp>(op)) return literal_text(constant.getValue());
  if (mlir::isa<fuse::ReduceOp>(op) && codegen::passes_through(form, op)) return name_of(op->getOperand(0));
  // What was rounded to this type and widened is what it was.
  if (mlir::isa<mlir::arith::TruncFOp>(op))
    if (auto wide = op->getOperand(0).getDefiningOp<mlir::arith::ExtFOp>();
        wide && wide.getIn().getType() == value.getType())
      return name_of(wide.getIn());
  check_internal(!mlir::isa<fuse::ReduceOp>(op), "a reduction is used before it is made");
  return statement(op);
}

std::string ValuesText::argument(mlir::BlockArgument value) {
  const size_t k = value.getArgNumber();
  const Access& access = form.in[k];
  const std::string& base = words.inputs[k];
  const std::string type = type_text(value.getType());
  const std::string here = names.identifier(base + "_at");
  if (!is_lane(value)) {
    row.push_back("const " + type + " " + here + " = " + addresses.element(base, access, false) + ";");
    return row_name_[value] = here;
  }
  if (schedule.width > 1 && is_vector(form, schedule, access, bytes_of_element(value.getType()))) {
    // Sums over all rows and nothing else read an element of a row once. Where rows are written too, such loads would wait
    // for the stores before them.
    const bool is_last_read =
        schedule.meets && !schedule.has_groups() && (access.dims() & form.row_set()) != 0 &&
        llvm::none_of(form.out, [&](const Access& out) { return (out.dims() & form.row_set()) != 0; });
    chunk.push_back(fmt::format("const Vector<{}, {}> {} = {}<{}>({}{});", type, schedule.width, here,
                                is_last_read ? "load_once" : "load", schedule.width, addresses.pointer(base, access),
                                ends_early() ? ", left" : ""));
    return lane_name_[value] = here + "[i]";
  }
  lane.push_back("const " + type + " " + here + " = " + addresses.element(base, access, true) + ";");
  return lane_name_[value] = here;
}

std::string ValuesText::statement(mlir::Operation* op) {
  mlir::Value value = op->getResult(0);
  const bool at_lane = is_lane(value), joins_ops = words.rounding == Rounding::of_kernel;
  const auto name_operand = [&](mlir::Value operand) { return name_of(operand); };
  std::string text;
  if (auto index = mlir::dyn_cast<fuse::IndexOp>(op)) {
    text = addresses.offset(form.index[static_cast<size_t>(codegen::ordinal(op))], at_lane);
  } else if (auto picked = mlir::dyn_cast<fuse::LoadAtOp>(op)) {
    text = picked_text(picked);
  } else if (auto random = mlir::dyn_cast<fuse::RandomOp>(op)) {
    text = random_text(random);
  } else if (auto compare = mlir::dyn_cast<mlir::arith::CmpFOp>(op); compare && is_chance(compare)) {
    text = chance_text(compare);
  } else if (auto places = mlir::dyn_cast<mlir::arith::CmpIOp>(op); places && compares_place(places)) {
    text = place_text(places);
  } else if (auto by_sigmoid = joins_ops ? text_by_sigmoid(op, name_operand) : std::nullopt) {
    text = *by_sigmoid;
  } else {
    std::vector<std::string> operands;
    for (mlir::Value operand : op->getOperands()) operands.push_back(name_of(operand));
    try {
      auto by_power = joins_ops ? text_by_power_of_two(op, operands) : std::nullopt;
      text = by_power ? *by_power : scalar_text(op, operands);
    } catch (Unsupported& found) {
      found.op = op;
      throw;
    }
  }
  const std::string name = names.numbered(word_of_value(op));
  (at_lane ? lane : row)
      .push_back("const " + type_text(value.getType()) + " " + name + " = " + text + ";" + comment(op));
  return (at_lane ? lane_name_ : row_name_)[value] = name;
}

std::string ValuesText::word_of_value(mlir::Operation* op) const {
  return words.rounding == Rounding::of_kernel && is_read_as_sigmoid(op) ? "sigmoid" : word_of(op);
}

std::string ValuesText::random_text(fuse::RandomOp op) {
  const std::string bits = bits_text(op);
  return op.getType().isF32() ? "uniform(" + bits + ")" : "static_cast<int>(" + bits + ")";
}

// Four neighbours share a Philox where they stand side by side in the tensor that is drawn.
std::string ValuesText::bits_text(fuse::RandomOp op) {
  const std::string seed = name_of(op.getSeed()), step = name_of(op.getStep());
  const auto stream = static_cast<uint64_t>(op.getStream());
  auto element = op.getElement().getDefiningOp<fuse::IndexOp>();
  if (!element || schedule.width % 4 != 0 || is_lane(op.getSeed()) || is_lane(op.getStep()) ||
      !is_vector(form, schedule, form.index[static_cast<size_t>(codegen::ordinal(element))], 4))
    return fmt::format("random_bits({}, {:#x}ull, {}, {})", seed, stream, step, name_of(op.getElement()));
  const Access& access = form.index[static_cast<size_t>(codegen::ordinal(element))];
  const std::string bits = names.numbered("bits");
  chunk.push_back(fmt::format("const Vector<u32, {0}> {1} = random_run<{0}>({2}, {3:#x}ull, {4}, {5});", schedule.width,
                              bits, seed, stream, step, addresses.offset(access, false)));
  return bits + "[i]";
}

// A draw in [0, 1) below a number, or not: the upper 24 bits of it tell, without making a float of them.
bool ValuesText::is_chance(mlir::arith::CmpFOp op) const {
  auto draw = op.getLhs().getDefiningOp<fuse::RandomOp>();
  auto chance = op.getRhs().getDefiningOp<mlir::arith::ConstantOp>();
  if (!draw || !chance || !draw->hasOneUse() || !draw.getType().isF32()) return false;
  const double x = mlir::cast<mlir::FloatAttr>(chance.getValue()).getValueAsDouble();
  using P = mlir::arith::CmpFPredicate;
  return x > 0 && x < 1 && (op.getPredicate() == P::OLT || op.getPredicate() == P::OGE);
}

std::string ValuesText::chance_text(mlir::arith::CmpFOp op) {
  auto chance = op.getRhs().getDefiningOp<mlir::arith::ConstantOp>();
  const double x = mlir::cast<mlir::FloatAttr>(chance.getValue()).getValueAsDouble();
  const auto first = static_cast<uint32_t>(std::ceil(std::ldexp(x, 24))) << 8;  // of the bits that are not below
  const bool is_below = op.getPredicate() == mlir::arith::CmpFPredicate::OLT;
  return fmt::format("{} {} {:#010x}u", bits_text(op.getLhs().getDefiningOp<fuse::RandomOp>()),
                     is_below ? "<" : ">=", first);
}

// Is the element at a place that the row names? Places that 32 bits hold are compared as such.
bool ValuesText::compares_place(mlir::arith::CmpIOp op) const {
  using P = mlir::arith::CmpIPredicate;
  if (addresses.is_wide() || (op.getPredicate() != P::eq && op.getPredicate() != P::ne)) return false;
  mlir::Type type = op.getLhs().getType();
  if ((!type.isInteger(64) && !type.isInteger(32)) || !is_lane(op.getLhs()) || is_lane(op.getRhs())) return false;
  if (!place_of(op.getLhs())) return false;
  const Access& place = place_access(op);
  return place.linear() && place.base >= 0 && llvm::all_of(place.stride, [](int64_t stride) { return stride >= 0; });
}

const Access& ValuesText::place_access(mlir::arith::CmpIOp op) const {
  return form.index[static_cast<size_t>(codegen::ordinal(place_of(op.getLhs())))];
}

std::string ValuesText::place_of_row(mlir::arith::CmpIOp op) {
  const mlir::Value told = op.getRhs();
  if (auto found = place_name_.find(told); found != place_name_.end()) return found->second;
  std::string named = name_of(told);
  if (told.getType().isInteger(64)) {
    const std::string place = names.numbered("place");
    row.push_back(fmt::format("const int {} = as_place({});", place, named));
    named = place;
  }
  return place_name_[told] = named;
}

std::string ValuesText::place_text(mlir::arith::CmpIOp op) {
  const std::string named = place_of_row(op);
  return fmt::format("{} {} {}", addresses.offset(place_access(op), true),
                     op.getPredicate() == mlir::arith::CmpIPredicate::eq ? "==" : "!=", named);
}

std::string ValuesText::picked_text(fuse::LoadAtOp op) {
  auto source = mlir::cast<mlir::BlockArgument>(op.getSource());
  mlir::ArrayRef<int64_t> shape = mlir::cast<mlir::RankedTensorType>(source.getType()).getShape();
  std::string at;
  for (auto [d, index] : llvm::enumerate(op.getIndices())) {
    const std::string i = name_of(index);
    auto site = first_word_.find(op);
    const std::string inside = site == first_word_.end() ? fmt::format("clamped({}, {})", i, shape[d])
                                                         : fmt::format("checked({}, {}, errors + {})", i, shape[d],
                                                                       site->second + 2 * static_cast<int>(d));
    at = at.empty() ? inside : fmt::format("({}) * {} + {}", at, shape[d], inside);
  }
  return words.inputs[source.getArgNumber()] + "[" + (at.empty() ? "0" : at) + "]";
}

bool ValuesText::ends_early() const {
  return schedule.kind == Kind::points && schedule.width > 1 &&
         form.extent[static_cast<size_t>(schedule.vector_dim)] % schedule.width != 0;
}

bool ValuesText::is_lane_result(unsigned k) const {
  return is_lane(yield->getOperand(k)) || (form.out[k].dims() & lane_dims()) != 0;
}

void ValuesText::write_lanes(unsigned k, const std::string& condition, Lines& after) {
  const Access& access = form.out[k];
  const std::string value = name_of(yield->getOperand(k));
  const std::string& base = words.results[k];
  if (schedule.width > 1 && condition.empty() && is_vector(form, schedule, access, bytes_of_element(result_type(k)))) {
    const std::string type = type_text(fuse::body_type(result_type(k)));
    const std::string held = names.identifier(base + "_at");
    chunk.push_back(fmt::format("Vector<{}, {}> {};", type, schedule.width, held));
    lane.push_back(held + "[i] = " + value + ";");
    after.push_back(
        fmt::format("store({}, {}{});", addresses.pointer(base, access), held, ends_early() ? ", left" : ""));
    return;
  }
  lane.push_back(conditional(condition, addresses.element(base, access, true) + " = " + value + ";"));
}

std::string ValuesText::write_once(unsigned k, const std::string& condition) {
  const std::string value = name_of(yield->getOperand(k));
  return conditional(condition, addresses.element(words.results[k], form.out[k], false) + " = " + value + ";");
}

Lines ValuesText::neighbours(const Lines& after) {
  Lines lines;
  append(lines, chunk, 0);
  if (schedule.width == 1) {
    append(lines, lane, 0);
  } else if (!lane.empty()) {
    lines.push_back("#pragma unroll");
    lines.push_back(fmt::format("for (int i = 0; i < {}; ++i) {{", schedule.width));
    if (ends_early()) lines.push_back("  if (i >= left) continue;");
    append(lines, lane, 1);
    lines.push_back("}");
  }
  append(lines, after, 0);
  chunk.clear(), lane.clear(), lane_name_.clear();
  return lines;
}

std::string conditional(const std::string& condition, const std::string& statement) {
  return condition.empty() ? statement : "if (" + condition + ") " + statement;
}

}  // namespace tessera::cuda
