#include <tessera/codegen/cuda/rows/kernel_text.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "llvm/ADT/DenseMap.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

#include <fmt/format.h>

#include <tessera/codegen/cpu/launch.h>
#include <tessera/codegen/cuda/rows/scalar_text.h>
#include <tessera/codegen/cuda/rows/unsupported.h>
#include <tessera/core/error.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::cuda {

using codegen::Access;
using codegen::DimSet;
using codegen::Form;
using codegen::has;
using codegen::Stages;
using Kind = RowSchedule::Kind;

namespace {

using Lines = std::vector<std::string>;

constexpr int most_kept = 96;  // values of one thread that later passes want, beside what was loaded

class Names {
 public:
  // An identifier like `wanted` that nothing else has.
  std::string identifier(const std::string& wanted) {
    std::string name;
    for (char c : wanted) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
    if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0]))) name = "x" + name;
    static const std::set<std::string> taken = {"row",    "column",  "row_end", "group", "t",     "i",
                                                "c",      "errors",  "left",    "first", "split", "int",
                                                "float",  "bool",    "double",  "load",  "store", "uniform",
                                                "divide", "minimum", "maximum", "log2",  "exp2"};
    std::string unique = name;
    for (int n = 2; taken.contains(unique) || !used_.insert(unique).second; ++n) unique = fmt::format("{}_{}", name, n);
    return unique;
  }
  std::string numbered(const std::string& word) { return identifier(fmt::format("{}_{}", word, ++count_[word])); }

 private:
  std::set<std::string> used_;
  std::map<std::string, int> count_;
};

bool mentions(const std::string& line, const std::string& name) {
  auto is_part = [&](size_t at) {
    return at < line.size() && (std::isalnum(static_cast<unsigned char>(line[at])) || line[at] == '_');
  };
  for (size_t at = line.find(name); at != std::string::npos; at = line.find(name, at + 1))
    if ((at == 0 || !is_part(at - 1)) && !is_part(at + name.size())) return true;
  return false;
}

// Positions that nothing in their scope asks for go: NVRTC warns of them, and so would a reader.
void drop_unused(Lines& lines) {
  for (size_t k = lines.size(); k-- > 0;) {
    const std::string& line = lines[k];
    const size_t depth = line.find_first_not_of(' ');
    if (depth == std::string::npos) continue;
    std::string name;
    for (const char* type : {"const int ", "const i64 "})
      if (line.compare(depth, 10, type) == 0) name = line.substr(depth + 10, line.find(' ', depth + 10) - depth - 10);
    bool is_used = name.empty();
    for (size_t j = k + 1; j < lines.size() && !is_used; ++j) {
      if (lines[j].starts_with("#")) continue;
      if (lines[j].find_first_not_of(' ') < depth) break;  // the scope ends
      is_used = mentions(lines[j], name);
    }
    if (!is_used) lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(k));
  }
}

class Text {
 public:
  Text(const Form& form, const Stages& stages, const RowSchedule& schedule, KernelWords words)
      : form_(form), stages_(stages), s_(schedule), words_(std::move(words)) {
    yield_ = form.body->getTerminator();
    auto kernel = mlir::cast<fuse::KernelOp>(form.body->getParentOp());
    for (mlir::Value result : kernel.getResults())
      result_type_.push_back(mlir::cast<mlir::RankedTensorType>(result.getType()).getElementType());
    is_wide_ = needs_wide_offsets();
    for (std::string& name : words_.inputs) name = names_.identifier(name);
    for (std::string& name : words_.results) name = names_.identifier(name);
    for (const codegen::Column& column : stages.columns)
      column_name_.push_back(names_.numbered(word_of(column.reduce) + "_of_rows"));
    for (const codegen::ErrorSite& site : codegen::error_sites(*form.body)) first_word_[site.op] = site.first_word;
    name_dims();
  }

  std::string all() {
    Lines body = s_.kind == Kind::points ? points() : rows();
    drop_unused(body);
    std::string text;
    for (const std::string& line : words_.head) text += line.empty() ? "//\n" : "// " + line + "\n";
    text += "#include \"rows.cuh\"\n\nnamespace tessera {\n\n";
    text +=
        fmt::format("extern \"C\" __constant__ Launch {}_launch = {{{}, 1, 0, {{}}}};\n\n", words_.kernel, s_.block());
    text += fmt::format("extern \"C\" __global__ void __launch_bounds__({})\n{}({}) {{\n", s_.block(), words_.kernel,
                        parameters());
    for (const std::string& line : shared_) text += "  " + line + "\n";
    for (const std::string& line : body)
      text += line.starts_with("#") || line.empty() ? line + "\n" : "  " + line + "\n";
    return text + "}\n\n}  // namespace tessera\n";
  }

 private:
  // ---- names, offsets ----

  bool needs_wide_offsets() const {
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
  const char* offset_type() const { return is_wide_ ? "i64" : "int"; }

  void name_dims() {
    for (int d = 0; d < form_.dims(); ++d) dim_name_.push_back(fmt::format("d{}", d));
    if (s_.kind == Kind::points) {
      if (form_.dims() == 1) dim_name_[0] = "first";
      return;
    }
    if (s_.row_dims.size() == 1) dim_name_[static_cast<size_t>(s_.row_dims[0])] = "row";
    if (s_.inner_dims.size() == 1) dim_name_[static_cast<size_t>(s_.inner_dims[0])] = "column";
  }

  std::string dim_text(int d, bool at_lane) const {
    const std::string& name = dim_name_[static_cast<size_t>(d)];
    return at_lane && d == s_.vector_dim && s_.width > 1 ? name + " + i" : name;
  }

  std::string affine_text(mlir::AffineExpr expr, bool at_lane) const {
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

  // The element offset at this thread's point, or at neighbour i.
  std::string offset(const Access& access, bool at_lane) const {
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

  std::string pointer(const std::string& base, const Access& access) const {
    const std::string at = offset(access, false);
    return at == "0" ? base : base + " + " + at;
  }
  std::string element(const std::string& base, const Access& access, bool at_lane) const {
    return base + "[" + offset(access, at_lane) + "]";
  }

  std::string parameters() const {
    Lines all;
    const char* restricted = words_.writes_elsewhere ? "* __restrict__ " : "* ";
    for (size_t k = 0; k < form_.in.size(); ++k) {
      mlir::Type type = form_.body->getArgument(static_cast<unsigned>(k)).getType();
      if (auto whole = mlir::dyn_cast<mlir::RankedTensorType>(type)) type = fuse::body_type(whole.getElementType());
      all.push_back("const " + type_text(type) + restricted + words_.inputs[k]);
    }
    for (size_t k = 0; k < form_.out.size(); ++k)
      all.push_back(type_text(fuse::body_type(result_type_[k])) + restricted + words_.results[k]);
    for (size_t k = 0; k < column_name_.size(); ++k)
      all.push_back(type_text(stages_.columns[k].reduce->getResult(0).getType()) + restricted + column_name_[k] +
                    "_part");
    if (!first_word_.empty()) all.push_back("i64* errors");
    std::string text;
    size_t width = words_.kernel.size() + 1;
    for (const std::string& one : all) {
      const bool wraps = width + one.size() > 110;
      if (!text.empty()) text += wraps ? ",\n    " : ", ";
      width = wraps ? 4 + one.size() : width + one.size() + 2;
      text += one;
    }
    return text;
  }

  // ---- values ----

  // Does the value differ between the neighbours (points), or between elements of the row (rows)?
  DimSet lane_dims() const {
    if (s_.kind != Kind::points) return form_.inner_set();
    return s_.vector_dim < 0 || s_.width == 1 ? 0 : codegen::bit(s_.vector_dim);
  }
  bool is_lane(mlir::Value value) const { return (stages_.of(value).dims & lane_dims()) != 0; }

  std::string chunk_index() const { return s_.chunks == 1 ? "0" : "c"; }
  std::string lane_index() const { return s_.width == 1 ? "0" : "i"; }

  std::string comment(mlir::Operation* op) {
    if (!op || !words_.line_of) return "";
    const std::string line = words_.line_of(op);
    if (line.empty() || line == last_line_) return "";
    last_line_ = line;
    return "  // " + line;
  }

  std::string name_of(mlir::Value value) {
    if (auto found = row_name_.find(value); found != row_name_.end()) return found->second;
    if (auto found = lane_name_.find(value); found != lane_name_.end()) return found->second;
    mlir::Operation* op = value.getDefiningOp();
    if (!op) return argument(mlir::cast<mlir::BlockArgument>(value));
    if (auto constant = mlir::dyn_cast<mlir::arith::ConstantOp>(op)) return literal_text(constant.getValue());
    if (mlir::isa<fuse::ReduceOp>(op) && codegen::passes_through(form_, op)) return name_of(op->getOperand(0));
    // What was rounded to this type and widened is what it was.
    if (mlir::isa<mlir::arith::TruncFOp>(op))
      if (auto wide = op->getOperand(0).getDefiningOp<mlir::arith::ExtFOp>();
          wide && wide.getIn().getType() == value.getType())
        return name_of(wide.getIn());
    check_internal(!mlir::isa<fuse::ReduceOp>(op), "a reduction is used before it is made");
    return statement(op);
  }

  std::string argument(mlir::BlockArgument value) {
    const size_t k = value.getArgNumber();
    const Access& access = form_.in[k];
    const std::string& base = words_.inputs[k];
    const std::string type = type_text(value.getType());
    const std::string here = names_.identifier(base + "_at");
    if (!is_lane(value)) {
      row_.push_back("const " + type + " " + here + " = " + element(base, access, false) + ";");
      return row_name_[value] = here;
    }
    if (s_.width > 1 && is_vector(form_, s_, access, bytes_of_element(value.getType()))) {
      chunk_.push_back(fmt::format("const Vector<{}, {}> {} = load<{}>({}{});", type, s_.width, here, s_.width,
                                   pointer(base, access), ends_early() ? ", left" : ""));
      return lane_name_[value] = here + "[i]";
    }
    lane_.push_back("const " + type + " " + here + " = " + element(base, access, true) + ";");
    return lane_name_[value] = here;
  }

  std::string statement(mlir::Operation* op) {
    mlir::Value value = op->getResult(0);
    const bool at_lane = is_lane(value);
    std::string text;
    if (auto index = mlir::dyn_cast<fuse::IndexOp>(op)) {
      text = offset(form_.index[static_cast<size_t>(codegen::ordinal(op))], at_lane);
    } else if (auto picked = mlir::dyn_cast<fuse::LoadAtOp>(op)) {
      text = picked_text(picked);
    } else if (auto random = mlir::dyn_cast<fuse::RandomOp>(op)) {
      const bool is_real = value.getType().isF32();
      text = fmt::format("{}({}, {:#x}ull, {}, {})", is_real ? "uniform" : "random_bits", name_of(random.getSeed()),
                         static_cast<uint64_t>(random.getStream()), name_of(random.getStep()),
                         name_of(random.getElement()));
    } else {
      std::vector<std::string> operands;
      for (mlir::Value operand : op->getOperands()) operands.push_back(name_of(operand));
      try {
        text = scalar_text(op, operands);
      } catch (Unsupported& found) {
        found.op = op;
        throw;
      }
    }
    const std::string name = names_.numbered(word_of(op));
    (at_lane ? lane_ : row_)
        .push_back("const " + type_text(value.getType()) + " " + name + " = " + text + ";" + comment(op));
    return (at_lane ? lane_name_ : row_name_)[value] = name;
  }

  std::string picked_text(fuse::LoadAtOp op) {
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
    return words_.inputs[source.getArgNumber()] + "[" + (at.empty() ? "0" : at) + "]";
  }

  bool ends_early() const {
    return s_.kind == Kind::points && s_.width > 1 && form_.extent[static_cast<size_t>(s_.vector_dim)] % s_.width != 0;
  }

  // Only one of the points that write the same element may do it.
  std::string writer_condition(const Access& access, bool at_lane) const {
    std::string text;
    if (!access.linear()) return text;
    for (int d = 0; d < form_.dims(); ++d) {
      if (access.stride[static_cast<size_t>(d)] != 0) continue;
      if (s_.kind != Kind::points && !at_lane && has(form_.inner_set(), d)) continue;  // one thread writes
      text += (text.empty() ? "" : " && ") + dim_text(d, at_lane) + " == 0";
    }
    return text;
  }

  static std::string conditional(const std::string& condition, const std::string& statement) {
    return condition.empty() ? statement : "if (" + condition + ") " + statement;
  }

  int column_of(mlir::Value value) const {
    for (size_t k = 0; k < stages_.columns.size(); ++k)
      if (stages_.columns[k].reduce == value.getDefiningOp()) return static_cast<int>(k);
    return -1;
  }

  bool is_lane_result(unsigned k) const {
    return is_lane(yield_->getOperand(k)) || (form_.out[k].dims() & lane_dims()) != 0;
  }

  // Lines that write result k: into `after` what follows the loop over neighbours.
  void write_lanes(unsigned k, Lines& after) {
    const Access& access = form_.out[k];
    const std::string value = name_of(yield_->getOperand(k));
    const std::string& base = words_.results[k];
    const std::string condition = writer_condition(access, true);
    if (s_.width > 1 && condition.empty() && is_vector(form_, s_, access, bytes_of_element(result_type_[k]))) {
      const std::string type = type_text(fuse::body_type(result_type_[k]));
      const std::string held = names_.identifier(base + "_at");
      chunk_.push_back(fmt::format("Vector<{}, {}> {};", type, s_.width, held));
      lane_.push_back(held + "[i] = " + value + ";");
      after.push_back(fmt::format("store({}, {}{});", pointer(base, access), held, ends_early() ? ", left" : ""));
      return;
    }
    lane_.push_back(conditional(condition, element(base, access, true) + " = " + value + ";"));
  }

  // ---- loops ----

  static void append(Lines& to, const Lines& lines, int depth) {
    for (const std::string& line : lines)
      to.push_back(line.starts_with("#") ? line : std::string(static_cast<size_t>(2 * depth), ' ') + line);
  }

  // The statements of one visit to `width` neighbours.
  Lines neighbours(const Lines& after, bool may_miss) {
    Lines lines;
    append(lines, chunk_, 0);
    if (s_.width == 1) {
      append(lines, lane_, 0);
    } else if (!lane_.empty()) {
      lines.push_back("#pragma unroll");
      lines.push_back(fmt::format("for (int i = 0; i < {}; ++i) {{", s_.width));
      if (may_miss) lines.push_back("  if (i >= left) continue;");
      append(lines, lane_, 1);
      lines.push_back("}");
    }
    append(lines, after, 0);
    chunk_.clear(), lane_.clear(), lane_name_.clear();
    return lines;
  }

  void decode(Lines& to, const std::string& linear, const std::vector<int>& dims, int64_t last_width) const {
    // The last dim moves fastest; it counts vectors.
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

  Lines points() {
    Lines lines;
    int64_t vectors = s_.rows;
    if (s_.vector_dim >= 0) {
      const int64_t along = form_.extent[static_cast<size_t>(s_.vector_dim)];
      vectors = s_.rows / along * ((along + s_.width - 1) / s_.width);
    }
    const std::string start = is_wide_ ? "static_cast<i64>(blockIdx.x)" : "static_cast<int>(blockIdx.x)";
    lines.push_back(
        fmt::format("const {} t = {} * {} + static_cast<int>(threadIdx.x);", offset_type(), start, s_.threads));
    if (s_.blocks * s_.threads != vectors) lines.push_back(fmt::format("if (t >= {}) return;", vectors));
    decode(lines, "t", s_.row_dims, s_.width);
    if (ends_early())
      lines.push_back(fmt::format("const int left = static_cast<int>({} - {});",
                                  form_.extent[static_cast<size_t>(s_.vector_dim)],
                                  dim_name_[static_cast<size_t>(s_.vector_dim)]));
    Lines after, last;
    for (unsigned k = 0; k < yield_->getNumOperands(); ++k) {
      if (is_lane_result(k)) {
        write_lanes(k, after);
      } else {
        const std::string value = name_of(yield_->getOperand(k));
        last.push_back(conditional(writer_condition(form_.out[k], false),
                                   element(words_.results[k], form_.out[k], false) + " = " + value + ";"));
      }
    }
    append(lines, row_, 0);
    append(lines, neighbours(after, ends_early()), 0);
    append(lines, last, 0);
    return lines;
  }

  // A loop over this thread's part of the row around `visit`.
  void walk(Lines& to, const Lines& visit) const {
    if (visit.empty()) return;
    const int64_t step = static_cast<int64_t>(s_.threads) * s_.width;
    const std::string neighbours = s_.width > 1 ? fmt::format(" * {}", s_.width) : "";
    Lines inside;
    if (s_.inner_dims.size() > 1) decode_columns(inside);
    append(inside, visit, 0);
    if (s_.chunks == 0) {
      to.push_back(fmt::format("for (int column = t{}; column < {}; column += {}) {{", neighbours, s_.columns, step));
      append(to, inside, 1);
      to.push_back("}");
      return;
    }
    const bool has_rest = step * s_.chunks * s_.splits != s_.columns;
    if (s_.chunks > 1) {
      to.push_back("#pragma unroll");
      to.push_back(fmt::format("for (int c = 0; c < {}; ++c) {{", s_.chunks));
      to.push_back(fmt::format("  const int column = {};", s_.width > 1
                                                               ? fmt::format("(c * {} + t){}", s_.threads, neighbours)
                                                               : fmt::format("c * {} + t", s_.threads)));
    } else {
      to.push_back("{");
      to.push_back(s_.splits > 1 ? fmt::format("  const int column = (split * {} + t){};", s_.threads, neighbours)
                                 : fmt::format("  const int column = t{};", neighbours));
    }
    if (has_rest) to.push_back(fmt::format("  if (column < {}) {{", s_.columns));
    append(to, inside, has_rest ? 2 : 1);
    if (has_rest) to.push_back("  }");
    to.push_back("}");
  }

  void decode_columns(Lines& to) const {
    std::string rest = "column";
    for (size_t k = s_.inner_dims.size(); k-- > 0;) {
      const auto d = static_cast<size_t>(s_.inner_dims[k]);
      to.push_back(fmt::format("const int {} = {};", dim_name_[d],
                               k == 0 ? rest : fmt::format("{} % {}", rest, form_.extent[d])));
      if (k > 0) rest = fmt::format("{} / {}", rest, form_.extent[d]);
    }
  }

  // ---- rows ----

  int last_level() const {
    int last = 0;
    for (const codegen::Nest& nest : stages_.nests)
      if (!nest.reduces.empty()) last = std::max(last, nest.level + 1);
    return last;
  }

  std::vector<mlir::Operation*> reduces_at(int level) const {
    std::vector<mlir::Operation*> all;
    for (const codegen::Nest& nest : stages_.nests)
      if (nest.level == level) all.insert(all.end(), nest.reduces.begin(), nest.reduces.end());
    return all;
  }

  bool is_row_sum(const codegen::Column& column) const {  // one value of each row, not of its elements
    return column.kept == 0 &&
           (form_.over[static_cast<size_t>(codegen::ordinal(column.reduce))] & form_.inner_set()) == 0 &&
           form_.inner_set() != 0;
  }

  std::vector<mlir::Value> roots_of(int pass, int last) const {
    std::vector<mlir::Value> roots;
    for (mlir::Operation* reduce : reduces_at(pass)) roots.push_back(reduce->getOperand(0));
    if (pass == last) {
      for (const codegen::Column& column : stages_.columns) roots.push_back(column.reduce->getOperand(0));
      for (unsigned k = 0; k < yield_->getNumOperands(); ++k)
        if (column_of(yield_->getOperand(k)) < 0) roots.push_back(yield_->getOperand(k));
    }
    for (const auto& [value, name] : kept_)
      if (value.getDefiningOp() && stages_.of(value).level == pass) roots.push_back(value);
    return roots;
  }

  // The inputs that a pass reads element by element.
  void collect(mlir::Value value, int pass, std::set<unsigned>& arguments) const {
    if (!is_lane(value)) return;
    auto kept = kept_.find(value);
    if (kept != kept_.end() && value.getDefiningOp() && stages_.of(value).level < pass) return;
    if (auto argument = mlir::dyn_cast<mlir::BlockArgument>(value)) {
      arguments.insert(argument.getArgNumber());
      return;
    }
    for (mlir::Value operand : value.getDefiningOp()->getOperands())
      if (!mlir::isa<mlir::RankedTensorType>(operand.getType())) collect(operand, pass, arguments);
  }

  // Which values stay in registers between passes: what is dear, and inputs that several passes read.
  void choose_kept(int last) {
    if (s_.chunks == 0) return;
    const int per_thread = s_.chunks * s_.width;
    if (per_thread * static_cast<int>(stages_.spills.size()) <= most_kept)
      for (const codegen::Spill& spill : stages_.spills)
        keep(spill.value, word_of(spill.value.getDefiningOp()) + "_row");
    std::map<unsigned, int> passes;
    for (int pass = 0; pass <= last; ++pass) {
      std::set<unsigned> arguments;
      for (mlir::Value root : roots_of(pass, last)) collect(root, pass, arguments);
      for (unsigned argument : arguments) ++passes[argument];
    }
    for (auto [argument, count] : passes)
      if (count > 1) keep(form_.body->getArgument(argument), words_.inputs[argument] + "_row");
  }
  void keep(mlir::Value value, const std::string& name) { kept_[value] = names_.identifier(name); }

  void load_kept(Lines& to) {
    Lines visit, loop;
    for (auto& [value, name] : kept_) {
      to.push_back(fmt::format("Vector<{}, {}> {}[{}];", type_text(value.getType()), s_.width, name, s_.chunks));
      auto argument = mlir::dyn_cast<mlir::BlockArgument>(value);
      if (!argument) continue;
      const Access& access = form_.in[argument.getArgNumber()];
      const std::string& base = words_.inputs[argument.getArgNumber()];
      if (s_.width > 1 && is_vector(form_, s_, access, bytes_of_element(value.getType()))) {
        visit.push_back(fmt::format("{}[{}] = load<{}>({});", name, chunk_index(), s_.width, pointer(base, access)));
      } else {
        if (s_.width > 1) {
          visit.push_back("#pragma unroll");
          visit.push_back(fmt::format("for (int i = 0; i < {}; ++i)", s_.width));
        }
        visit.push_back(fmt::format("{}{}[{}][{}] = {};", s_.width > 1 ? "  " : "", name, chunk_index(), lane_index(),
                                    element(base, access, true)));
      }
    }
    walk(to, visit);
  }

  // Names of what earlier passes left in registers.
  void begin_pass(int pass) {
    for (auto& [value, name] : kept_)
      if (!value.getDefiningOp() || stages_.of(value).level < pass)
        lane_name_[value] = fmt::format("{}[{}][{}]", name, chunk_index(), lane_index());
  }

  void keep_in_pass(int pass) {
    for (auto& [value, name] : kept_) {
      if (!value.getDefiningOp() || stages_.of(value).level != pass) continue;
      lane_.push_back(fmt::format("{}[{}][{}] = {};", name, chunk_index(), lane_index(), name_of(value)));
    }
  }

  std::string across(mlir::Operation* reduce, const std::string& part) {
    const std::string how = combine_name(reduce), type = type_text(reduce->getResult(0).getType());
    if (s_.kind == Kind::lanes) {
      if (s_.threads == 1) return part;
      const std::string slots = names_.identifier(part + "_slots");
      shared_.push_back(fmt::format("__shared__ {} {}[{}][32];", type, slots, s_.threads));
      return fmt::format("across_warps<{}, {}>({}, {})", how, s_.threads, part, slots);
    }
    if (s_.threads == 32) return fmt::format("across_warp<{}>({})", how, part);
    ++block_reductions_;
    const std::string slots = names_.identifier(part + "_slots");
    shared_.push_back(fmt::format("__shared__ {} {}[{}];", type, slots, s_.threads / 32));
    return fmt::format("across_block<{}, {}>({}, {})", how, s_.threads / 32, part, slots);
  }

  void reduce_pass(int pass, Lines& to) {
    begin_pass(pass);
    std::vector<std::pair<mlir::Operation*, std::string>> parts;
    for (mlir::Operation* reduce : reduces_at(pass)) {
      const std::string part = names_.numbered(word_of(reduce) + "_part");
      const std::string value = name_of(reduce->getOperand(0));
      row_.push_back(fmt::format("{} {} = {};", type_text(reduce->getResult(0).getType()), part, start_text(reduce)));
      lane_.push_back(part + " = " + combine_text(reduce, part, value) + ";");
      parts.push_back({reduce, part});
    }
    keep_in_pass(pass);
    const Lines visit = neighbours({}, false);
    append(to, row_, 0);
    row_.clear();
    walk(to, visit);
    for (auto& [reduce, part] : parts) {
      const std::string name = names_.numbered(word_of(reduce));
      to.push_back(fmt::format("const {} {} = {};{}", type_text(reduce->getResult(0).getType()), name,
                               across(reduce, part), comment(reduce)));
      row_name_[reduce->getResult(0)] = name;
    }
  }

  void last_pass(int pass, Lines& to) {
    begin_pass(pass);
    Lines after, last;
    for (size_t k = 0; k < stages_.columns.size(); ++k) {
      const codegen::Column& column = stages_.columns[k];
      const std::string value = name_of(column.reduce->getOperand(0));
      const std::string sum =
          column.kept != 0 ? fmt::format("{}[{}][{}]", column_name_[k], chunk_index(), lane_index()) : column_name_[k];
      (is_row_sum(column) ? last : lane_)
          .push_back(sum + " = " + combine_text(column.reduce, sum, value) + ";" + comment(column.reduce));
    }
    for (unsigned k = 0; k < yield_->getNumOperands(); ++k) {
      if (column_of(yield_->getOperand(k)) >= 0) continue;
      if (is_lane_result(k)) {
        write_lanes(k, after);
        continue;
      }
      const std::string value = name_of(yield_->getOperand(k));
      std::string condition = s_.splits > 1 ? "t == 0 && split == 0" : "t == 0";
      const std::string others = writer_condition(form_.out[k], false);
      if (!others.empty()) condition += " && " + others;
      if (clamps_rows()) condition += " && is_there";
      last.push_back(conditional(condition, element(words_.results[k], form_.out[k], false) + " = " + value + ";"));
    }
    if (clamps_rows()) {
      for (std::string& line : lane_)
        if (!line.starts_with("const ")) line = "if (is_there) " + line;
    }
    Lines visit = neighbours(after, false);
    append(to, row_, 0);
    row_.clear();
    walk(to, visit);
    append(to, last, 0);
  }

  bool clamps_rows() const { return s_.kind == Kind::lanes && s_.rows % 32 != 0; }

  void begin_columns(Lines& to) {
    for (size_t k = 0; k < stages_.columns.size(); ++k) {
      const codegen::Column& column = stages_.columns[k];
      const std::string type = type_text(column.reduce->getResult(0).getType()), start = start_text(column.reduce);
      if (column.kept == 0) {
        to.push_back(fmt::format("{} {} = {};", type, column_name_[k], start));
        continue;
      }
      to.push_back(fmt::format("Vector<{}, {}> {}[{}];", type, s_.width, column_name_[k], s_.chunks));
      to.push_back("#pragma unroll");
      to.push_back(fmt::format("for (int i = 0; i < {}; ++i) {}[i / {}][i % {}] = {};", s_.chunks * s_.width,
                               column_name_[k], s_.width, s_.width, start));
    }
  }

  void end_columns(Lines& to) {
    Lines visit;
    for (size_t k = 0; k < stages_.columns.size(); ++k) {
      const codegen::Column& column = stages_.columns[k];
      const std::string part = column_name_[k] + "_part";
      if (column.kept != 0) {
        const std::string at = fmt::format("{} + static_cast<i64>(group) * {} + column", part, s_.columns);
        visit.push_back(fmt::format("store({}, {}[{}]);", at, column_name_[k], chunk_index()));
      } else if (is_row_sum(column) || form_.inner_set() == 0) {
        to.push_back(fmt::format("if (t == 0) {}[group] = {};", part, column_name_[k]));
      } else {
        const std::string whole = names_.identifier(column_name_[k] + "_whole");
        to.push_back(fmt::format("const auto {} = {};", whole, across(column.reduce, column_name_[k])));
        to.push_back(fmt::format("if (t == 0) {}[group] = {};", part, whole));
      }
    }
    walk_flat(to, visit);
  }

  // As walk(), where only the flat column is wanted.
  void walk_flat(Lines& to, const Lines& visit) {
    if (visit.empty()) return;
    RowSchedule flat = s_;
    flat.inner_dims = {s_.inner_dims.empty() ? -1 : s_.inner_dims.back()};
    std::swap(flat, s_);
    walk(to, visit);
    std::swap(flat, s_);
  }

  Lines rows() {
    Lines lines;
    const bool walks = !stages_.columns.empty();
    const char* type = offset_type();
    const std::string block =
        s_.splits > 1 ? fmt::format("static_cast<int>(blockIdx.x) / {}", s_.splits) : "static_cast<int>(blockIdx.x)";
    if (s_.splits > 1) lines.push_back(fmt::format("const int split = static_cast<int>(blockIdx.x) % {};", s_.splits));
    std::string place = block;
    if (s_.kind == Kind::lanes) {
      lines.push_back("const int t = static_cast<int>(threadIdx.x) / 32;");
      place += " * 32 + static_cast<int>(threadIdx.x) % 32";
    } else if (s_.rows_at_once > 1) {
      lines.push_back(fmt::format("const int t = static_cast<int>(threadIdx.x) % {};", s_.threads));
      place += fmt::format(" * {} + static_cast<int>(threadIdx.x) / {}", s_.rows_at_once, s_.threads);
    } else {
      lines.push_back("const int t = static_cast<int>(threadIdx.x);");
    }
    Lines inside;
    int depth = 0;
    if (walks) {
      lines.push_back(fmt::format("const int group = {};", place));
      if (s_.groups() % s_.rows_at_once != 0) lines.push_back(fmt::format("if (group >= {}) return;", s_.groups()));
      begin_columns(lines);
      lines.push_back(
          s_.groups() * s_.walked == s_.rows
              ? fmt::format("const {} row_end = (group + 1) * {};", type, s_.walked)
              : fmt::format("const {0} row_end = min(static_cast<{0}>(group + 1) * {1}, static_cast<{0}>({2}));", type,
                            s_.walked, s_.rows));
      if (last_level() == 0) lines.push_back("#pragma unroll 4");  // so that several loads are under way
      lines.push_back(
          fmt::format("for ({0} row = static_cast<{0}>(group) * {1}; row < row_end; ++row) {{", type, s_.walked));
      depth = 1;
    } else if (clamps_rows()) {
      lines.push_back(fmt::format("const bool is_there = {} < {};", place, s_.rows));
      lines.push_back(fmt::format("const {} row = min({}, {});", type, place, s_.rows - 1));
    } else {
      lines.push_back(fmt::format("const {} row = {};", type, place));
      if (s_.rows % s_.rows_at_once != 0) lines.push_back(fmt::format("if (row >= {}) return;", s_.rows));
    }
    if (s_.row_dims.size() > 1) decode(inside, "row", s_.row_dims, 1);
    const int last = last_level();
    choose_kept(last);
    load_kept(inside);
    for (int pass = 0; pass < last; ++pass) reduce_pass(pass, inside);
    last_pass(last, inside);
    // A reduction by itself would fill its slots for the next row while others still read them.
    if (walks && block_reductions_ == 1) inside.push_back("__syncthreads();");
    append(lines, inside, depth);
    if (walks) {
      lines.push_back("}");
      end_columns(lines);
    }
    return lines;
  }

  const Form& form_;
  const Stages& stages_;
  RowSchedule s_;
  KernelWords words_;
  mlir::Operation* yield_ = nullptr;
  std::vector<mlir::Type> result_type_;
  bool is_wide_ = false;
  Names names_;
  std::vector<std::string> dim_name_, column_name_;
  std::map<mlir::Operation*, int> first_word_;
  llvm::DenseMap<mlir::Value, std::string> row_name_, lane_name_;
  llvm::MapVector<mlir::Value, std::string> kept_;
  Lines shared_, row_, chunk_, lane_;  // statements by how often they run: a row, a vector, an element
  int block_reductions_ = 0;
  std::string last_line_;
};

}  // namespace

std::string row_kernel_text(const Form& form, const Stages& stages, const RowSchedule& schedule, KernelWords words) {
  return Text(form, stages, schedule, std::move(words)).all();
}

std::string schedule_text(const Stages& stages, const RowSchedule& s) {
  std::string text;
  switch (s.kind) {
    case Kind::points:
      return fmt::format("{} elements a thread, {} threads a block, {} blocks", s.width, s.threads, s.blocks);
    case Kind::lanes:
      text = fmt::format("a row in each lane, {} warps share its {} elements", s.threads, s.columns);
      break;
    case Kind::rows: text = fmt::format("{} threads a row of {}, {} at once", s.threads, s.columns, s.width); break;
  }
  text += s.chunks == 0 ? ", in a loop" : fmt::format(", {} times", s.chunks);
  if (!stages.columns.empty()) text += fmt::format("; {} groups walk {} rows each", s.groups(), s.walked);
  return text + fmt::format("; {} blocks", s.blocks);
}

}  // namespace tessera::cuda
