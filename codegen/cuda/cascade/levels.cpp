#include <tessera/codegen/cuda/cascade/levels.h>

#include <fmt/format.h>

#include <tessera/codegen/cuda/rows/scalar_text.h>
#include <tessera/core/error.h>

namespace tessera::cuda {

using mlir::Value;

namespace {

// "each_row<2>([&](int i, int h) { … });"
void each_row(Lines& to, int down, const Lines& inside) {
  to.push_back(fmt::format("each_row<{}>([&](int i, int h) {{", down));
  append(to, inside, 1);
  to.push_back("});");
}

}  // namespace

size_t LevelsText::number_of(mlir::Operation* reduce) const {
  for (size_t k = 0; k < p_.c.statistics.size(); ++k)
    if (p_.c.statistics[k].reduce == reduce) return k;
  throw InternalError("a plane reads a statistic that is none");
}

bool LevelsText::is_extreme(const PlaneStatistic& one) {
  return one.kind() == fuse::ReduceKind::max || one.kind() == fuse::ReduceKind::min;
}

// A sum that nobody reads before the end: lanes meet then.
bool LevelsText::grows_in_lanes(const PlaneStatistic& one) const {
  return one.kind() == fuse::ReduceKind::sum && !one.is_read_by_plane;
}

std::optional<std::string> LevelsText::here(Value value, bool in_row) const {
  mlir::Operation* op = value.getDefiningOp();
  if (auto argument = mlir::dyn_cast<mlir::BlockArgument>(value)) {
    const auto found = p_.vector_names.find(value);
    if (found == p_.vector_names.end()) return std::nullopt;
    if (!p_.is_in_shared_memory(argument)) return found->second + "[i][h]";
    return fmt::format("shared.{}[slot][column_of_element(j, e)]", found->second);
  }
  if (mlir::isa<fuse::ReduceOp>(op)) {
    const size_t k = number_of(op);
    return p_.statistic_names[k] + (is_extreme(p_.c.statistics[k]) ? "_seen[i][h]" : "[i][h]");
  }
  if (in_row) return std::nullopt;
  for (size_t k = 0; k < p_.c.scores.size(); ++k)
    if (p_.c.scores[k].contract == op) return p_.score_names[k] + "[i][j][2 * h + e]";
  return std::nullopt;
}

Lines LevelsText::of_rows() const {
  Lines lines;
  for (mlir::BlockArgument argument : p_.c.body().getArguments()) {
    const auto found = p_.vector_names.find(argument);
    if (found == p_.vector_names.end() || p_.is_in_shared_memory(argument)) continue;
    const unsigned k = argument.getArgNumber();
    lines.push_back(fmt::format("{} {}[{}][2];", type_text(argument.getType()), found->second, p_.s.down));
    each_row(lines, p_.s.down,
             {p_.row_line(), fmt::format("{}[i][h] = {}[{}];", found->second, p_.words.words.inputs[k],
                                         offset_text(p_.c.in_map(k), p_.words.dims))});
  }
  return lines;
}

Lines LevelsText::of_sums() const {
  Lines lines, starts;
  for (size_t k = 0; k < p_.c.statistics.size(); ++k) {
    lines.push_back(fmt::format("Rows<{}> {};", p_.s.down, p_.statistic_names[k]));
    starts.push_back(fmt::format("{}[i][h] = {};", p_.statistic_names[k], start_text(p_.c.statistics[k].reduce)));
  }
  if (!starts.empty()) each_row(lines, p_.s.down, starts);
  for (size_t k = 0; k < p_.c.accumulations.size(); ++k)
    lines.push_back(
        fmt::format("Plane<{}, {}> {} = {{}};", p_.s.down, p_.across_of(p_.c.accumulations[k]), p_.sum_names[k]));
  return lines;
}

Lines LevelsText::of_block(const std::string& whole, bool knows_masks) {
  Lines lines, levels;
  knows_masks_ = knows_masks;
  factors_.clear();
  for (int level = 0; level < p_.c.levels(); ++level) append(levels, of_level(level, whole), 0);
  const bool asks = llvm::any_of(levels, [](const std::string& line) { return line == "if (is_whole) {"; });
  if (asks) lines.push_back("const bool is_whole = " + whole + ";");
  append(lines, levels, 0);
  return lines;
}

Lines LevelsText::of_level(int level, const std::string& whole) {
  Lines lines;
  for (Value value : p_.c.kept[static_cast<size_t>(level)])
    lines.push_back(fmt::format("Plane<{}, {}> {};", p_.s.down, p_.across(), p_.kept_names[value]));
  for (size_t k = 0; k < p_.c.accumulations.size(); ++k)
    if (p_.c.accumulations[k].level == level)
      lines.push_back(fmt::format("Plane<{}, {}> {}_plane;", p_.s.down, p_.across(), p_.sum_names[k]));
  // What was summed under old statistics is moved first.
  for (size_t k = 0; k < p_.c.statistics.size(); ++k) {
    const PlaneStatistic& one = p_.c.statistics[k];
    if (one.level != level) continue;
    if (!grows_in_lanes(one)) {
      lines.push_back(fmt::format("Rows<{}> {}_here;", p_.s.down, p_.statistic_names[k]));
      each_row(lines, p_.s.down, {fmt::format("{}_here[i][h] = {};", p_.statistic_names[k], start_text(one.reduce))});
    } else if (!one.repairs.empty()) {
      Lines moved;
      for (fuse::RepairOp repair : one.repairs)
        moved.push_back(fmt::format("{}[i][h] *= {}[i][h];", p_.statistic_names[k], factors_.at(repair)));
      each_row(lines, p_.s.down, moved);
    }
  }

  const Lines of_all = elements(level, true), of_some = whole.empty() ? of_all : elements(level, false);
  auto put = [&](const Lines& inside, int depth) {
    append(lines, {fmt::format("each_element<{}, {}>([&](int i, int h, int j, int e) {{", p_.s.down, p_.across())},
           depth);
    append(lines, inside, depth + 1);
    append(lines, {"});"}, depth);
  };
  if (of_all == of_some) {
    put(of_all, 0);
  } else {
    lines.push_back("if (is_whole) {");
    put(of_all, 1);
    lines.push_back("} else {");
    put(of_some, 1);
    lines.push_back("}");
  }

  for (size_t k = 0; k < p_.c.statistics.size(); ++k)
    if (p_.c.statistics[k].level == level) statistic(lines, k);
  for (size_t k = 0; k < p_.c.accumulations.size(); ++k)
    if (p_.c.accumulations[k].level == level) sum(lines, k);
  return lines;
}

// The statements of one element.
Lines LevelsText::elements(int level, bool is_whole) {
  Statements element(p_.words, p_.c, p_.names, [&](Value value) { return here(value, false); });
  for (int before = 0; before < level; ++before)
    for (Value value : p_.c.kept[static_cast<size_t>(before)])
      element.call(value, p_.kept_names[value] + "[i][j][2 * h + e]");
  if (is_whole && knows_masks_) element.decide(p_.c.liveness.conditions);
  const bool asks_end = !is_whole && p_.is_ragged();
  auto inside = [&](const std::string& value, const std::string& otherwise) {
    return asks_end ? fmt::format("inside ? {} : {}", value, otherwise) : value;
  };
  Lines ends;
  for (Value value : p_.c.kept[static_cast<size_t>(level)])
    ends.push_back(fmt::format("{}[i][j][2 * h + e] = {};", p_.kept_names[value], element.name_of(value)));
  for (size_t k = 0; k < p_.c.statistics.size(); ++k) {
    const PlaneStatistic& one = p_.c.statistics[k];
    if (one.level != level) continue;
    const std::string at = p_.statistic_names[k] + (grows_in_lanes(one) ? "[i][h]" : "_here[i][h]");
    std::string value = inside(element.name_of(one.value()), start_text(one.reduce));
    if (asks_end) value = "(" + value + ")";
    ends.push_back(fmt::format("{} = {};", at, combine_text(one.reduce, at, value)));
  }
  for (size_t k = 0; k < p_.c.accumulations.size(); ++k)
    if (p_.c.accumulations[k].level == level)
      ends.push_back(fmt::format("{}_plane[i][j][2 * h + e] = {};", p_.sum_names[k],
                                 inside(element.name_of(p_.c.accumulations[k].plane), "0.f")));
  Lines lines{p_.row_line(), p_.column_line()};
  if (asks_end)
    lines.push_back(fmt::format("const bool inside = n_first + column_of_element(j, e) < {};", p_.c.columns));
  append(lines, element.lines, 0);
  append(lines, ends, 0);
  drop_unused(lines);
  return lines;
}

// The lanes of a row meet, and what was made under the old statistic learns by how much it moves.
void LevelsText::statistic(Lines& to, size_t k) {
  const PlaneStatistic& one = p_.c.statistics[k];
  if (grows_in_lanes(one)) return;
  mlir::Operation* reduce = one.reduce;
  const std::string& name = p_.statistic_names[k];
  Lines row{p_.row_line()};
  row.push_back(fmt::format("const float old = {}[i][h];", name));
  std::string kept = "old";
  for (fuse::RepairOp repair : one.repairs)
    kept = fmt::format("({} {} {}[i][h])", kept, is_extreme(one) ? "+" : "*", factors_.at(repair));
  row.push_back(fmt::format(
      "const float now = {};",
      combine_text(reduce, kept, fmt::format("across_quad<{}>({}_here[i][h])", combine_name(reduce), name))));
  // Repairs of the same step share a factor.
  std::map<std::string, std::string> known;
  auto add = [&](fuse::RepairOp repair, bool of_extreme) {
    if (repair.getStatistic() != reduce->getResult(0)) return;
    Statements alone(p_.words, p_.c, p_.names, [&](Value value) { return here(value, true); });
    const std::string made = alone.step(repair, "old", "now");
    std::string text = of_extreme ? "sum" : "product";
    for (const std::string& line : alone.lines) text += line.substr(0, line.find("//")) + "\n";
    const auto [found, is_new] = known.try_emplace(text, "");
    if (is_new) {
      found->second = p_.names.numbered(name + "_factor");
      to.push_back(fmt::format("Rows<{}> {};", p_.s.down, found->second));
      append(row, {"{"}, 0);
      append(row, alone.lines, 1);
      append(row,
             {fmt::format("  {}[i][h] = old == {} ? {} : {};", found->second, start_text(reduce),
                          of_extreme ? "0.f" : "1.f", made),
              "}"},
             0);
    }
    factors_[repair] = found->second;
  };
  for (const PlaneStatistic& other : p_.c.statistics)
    for (fuse::RepairOp repair : other.repairs) add(repair, is_extreme(other));
  for (const PlaneAccumulation& other : p_.c.accumulations)
    for (fuse::RepairOp repair : other.repairs) add(repair, false);
  row.push_back(fmt::format("{}[i][h] = now;", name));
  if (is_extreme(one)) {
    // Of nothing but neutral elements: under any finite reference they add nothing, but −∞ − −∞ is NaN.
    to.push_back(fmt::format("Rows<{}> {}_seen;", p_.s.down, name));
    row.push_back(fmt::format("{}_seen[i][h] = now == {} ? 0.f : now;", name, start_text(reduce)));
  }
  drop_unused(row);
  each_row(to, p_.s.down, row);
}

void LevelsText::sum(Lines& to, size_t k) const {
  const PlaneAccumulation& one = p_.c.accumulations[k];
  for (fuse::RepairOp repair : one.repairs)
    to.push_back(fmt::format("scale_rows({}, {});", p_.sum_names[k], factors_.at(repair)));
  const mlir::Type element = p_.c.stream_operands[one.right].element;
  auto multiply = [&](const std::string& what) {
    to.push_back(fmt::format("{}({}, {}({}_plane), shared.{}[slot]);", p_.multiply_text(element, p_.s.block),
                             p_.sum_names[k], what, p_.sum_names[k], p_.column_names[one.right]));
  };
  if (!one.is_rounded) multiply(fmt::format("rest_of<{}>", type_text(element)));
  multiply(element.isF32() ? "in_pairs" : fmt::format("rounded_to<{}>", type_text(element)));
}

}  // namespace tessera::cuda
