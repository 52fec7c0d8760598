#include <tessera/codegen/cuda/contract/contract_text.h>

#include <algorithm>

#include <fmt/format.h>

#include <tessera/codegen/cuda/contract/operand_text.h>
#include <tessera/codegen/cuda/rows/parameters.h>
#include <tessera/codegen/cuda/rows/points_text.h>
#include <tessera/codegen/cuda/rows/scalar_text.h>
#include <tessera/codegen/cuda/rows/values_text.h>

namespace tessera::cuda {
namespace {

// The epilogue's kernel as one of points: a thread has `width` neighbours along N.
RowSchedule points_of(const codegen::Form& form, const Contraction& c, const ContractSchedule& s) {
  RowSchedule points;
  for (int d = 0; d < form.dims(); ++d) points.row_dims.push_back(d);
  points.vector_dim = c.n.count() > 0 ? form.dims() - 1 : -1;
  points.width = s.width;
  for (int64_t extent : form.extent) points.rows *= extent;
  return points;
}

// "m", or "m_1", "m_2" where a side has several dims.
void name_side(std::vector<std::string>& names, const char* side, int count) {
  for (int d = 0; d < count; ++d) names.push_back(count == 1 ? side : fmt::format("{}_{}", side, d + 1));
}

class Text {
 public:
  Text(const Contraction& c, const ContractSchedule& s, const Epilogue& epilogue, KernelWords words)
      : c_(c),
        s_(s),
        form_(codegen::read_form(epilogue.kernel)),
        stages_(codegen::make_stages(form_)),
        points_(points_of(form_, c, s)),
        operand_names_(words.inputs.begin(), words.inputs.begin() + 2),
        values_(form_, stages_, points_, of_epilogue(std::move(words), c, s)) {
    for (std::string& name : operand_names_) name = values_.names.identifier(name);
    offset_type_ = values_.addresses.is_wide() || needs_wide_offsets(c) ? "i64" : "int";
  }

  std::string all() {
    Lines body = shared_lines();
    append(body, position(), 0);
    append(body, product(), 0);
    append(body, epilogue(), 0);
    drop_unused(body);
    const std::string& name = values_.words.kernel;
    std::string text;
    for (const std::string& line : values_.words.head) text += line.empty() ? "//\n" : "// " + line + "\n";
    text += "#include \"contract.cuh\"\n\nnamespace tessera {\n\n";
    text += fmt::format("struct {}_shared {{\n  {} a[{}];\n  {} b[{}];\n}};\n", name, panel(s_.a, s_.tile_m), s_.stages,
                        panel(s_.b, s_.tile_n), s_.stages);
    text += fmt::format("using {}_sums = SumTile<{}, {}, {}>;\n\n", name, sum_type(), s_.tile_m, s_.tile_n);
    text += fmt::format(
        "extern \"C\" __constant__ Launch {0}_launch = {{{1}, 1, shared_bytes<{0}_shared, {0}_sums>, {{}}}};\n\n", name,
        s_.threads);
    text += fmt::format("extern \"C\" __global__ void __launch_bounds__({}, {})\n{}({}) {{\n", s_.threads, s_.residents,
                        name, parameters());
    for (const std::string& line : body)
      text += line.starts_with("#") || line.empty() ? line + "\n" : "  " + line + "\n";
    return text + "}\n\n}  // namespace tessera\n";
  }

 private:
  static KernelWords of_epilogue(KernelWords words, const Contraction& c, const ContractSchedule& s) {
    words.inputs.erase(words.inputs.begin(), words.inputs.begin() + 2);
    words.inputs.push_back("sum");
    words.made_here = 1;
    if (s.parts > 1) words.dims.push_back("part");
    name_side(words.dims, "batch", c.batch.count());
    name_side(words.dims, "m", c.m.count());
    name_side(words.dims, "n", c.n.count());
    words.taken = words.dims;
    for (const char* name : {"a", "b", "a_row", "a_column", "b_row", "b_column", "k", "k_first", "k_end", "m_first",
                             "n_first", "tile", "sum", "sums", "shared", "product", "slot", "step"})
      words.taken.push_back(name);
    for (const char* side : {"batch", "m", "n", "part"})
      if (!llvm::is_contained(words.taken, side)) words.taken.push_back(side);
    return words;
  }

  std::string engine_type() const {
    switch (s_.engine) {
      case Engine::fma: return sum_type();
      case Engine::tf32x3: return "Tf32x3";
      case Engine::tf32: return "Tf32";
      case Engine::half: return "Half<" + type_text(s_.a.element) + ">";
    }
    return "";
  }
  std::string sum_type() const { return type_text(c_.sum_type()); }

  std::string panel(const Staging& one, int rows) const {
    return fmt::format("Panel<{}, {}, {}, Lie::{}>", type_text(one.element), rows, s_.step,
                       one.along_k ? "along_k" : "along_rows");
  }

  std::string parameters() const {
    Lines all;
    for (size_t i = 0; i < 2; ++i) all.push_back(input_parameter(operand_type(i), operand_names_[i], values_.words));
    append(all, parameters_of(values_), 0);
    return parameter_list(all, values_.words.kernel.size() + 1);
  }
  mlir::Type operand_type(size_t i) const { return c_.stored_type(i == 0 ? c_.a : c_.b); }

  Lines shared_lines() const {
    const std::string& name = values_.words.kernel;
    return {fmt::format("auto& shared = shared_memory<{}_shared>();", name),
            fmt::format("auto& sums = shared_memory<{}_sums>();  // where the operands were", name)};
  }

  // Which tile this block has.
  Lines position() const {
    Lines lines;
    const int64_t tiles = s_.tiles_m * s_.tiles_n;
    const bool is_one = tiles == 1, is_only = s_.batch * s_.parts == 1;
    lines.push_back(fmt::format("const Place tile = Raster{{{}, {}, 8}}.at(static_cast<int>(blockIdx.x){});",
                                s_.tiles_m, s_.tiles_n, is_only ? "" : fmt::format(" % {}", tiles)));
    lines.push_back(
        fmt::format("const int m_first = tile.row * {}, n_first = tile.column * {};", s_.tile_m, s_.tile_n));
    const std::string plane =
        is_one ? "static_cast<int>(blockIdx.x)" : fmt::format("static_cast<int>(blockIdx.x) / {}", tiles);
    if (s_.batch > 1)
      lines.push_back(fmt::format("const {} batch = {}{};", offset_type_, plane,
                                  s_.parts > 1 ? fmt::format(" % {}", s_.batch) : ""));
    if (s_.parts > 1) {
      lines.push_back(
          fmt::format("const {} part = {};", offset_type_,
                      s_.batch > 1 ? fmt::format("static_cast<int>(blockIdx.x) / {}", tiles * s_.batch) : plane));
      lines.push_back(fmt::format("const int k_first = static_cast<int>(part) * {0}, k_end = min(k_first + {0}, {1});",
                                  s_.part, c_.size(c_.k)));
    } else {
      lines.push_back(fmt::format("const int k_first = 0, k_end = {};", c_.size(c_.k)));
    }
    return lines;
  }

  Lines product() {
    Lines lines;
    stager(lines, "a", operand_names_[0], c_.a, s_.a, c_.m, "m");
    stager(lines, "b", operand_names_[1], c_.b, s_.b, c_.n, "n");
    lines.push_back(fmt::format("{}Sums<{}, {}, {}, {}, {}> product;", s_.engine == Engine::fma ? "Fma" : "Mma",
                                engine_type(), s_.tile_m, s_.tile_n, s_.per_m, s_.per_n));
    lines.push_back(fmt::format("walk_k<{}>(", s_.stages));
    lines.push_back(fmt::format("    (k_end - k_first + {}) / {},", s_.step - 1, s_.step));
    lines.push_back("    [&](int slot, int step) {");
    lines.push_back(fmt::format("      const int k = k_first + step * {};", s_.step));
    lines.push_back("      a.load(shared.a[slot], k, k_end, a_column" + widened(c_.a, s_.a) + ");");
    lines.push_back("      b.load(shared.b[slot], k, k_end, b_column" + widened(c_.b, s_.b) + ");");
    lines.push_back("    },");
    lines.push_back("    [&](int slot) { product.add(shared.a[slot], shared.b[slot]); });");
    lines.push_back("product.put(sums);");
    return lines;
  }

  // Where the elements of an operand lie, and who brings them.
  void stager(Lines& lines, const std::string& side, const std::string& name, const ContractOperand& operand,
              const Staging& staging, Side rows, const std::string& row) {
    lines.push_back(fmt::format("const auto {}_row = []({} {}) {{ return {}; }};", side, offset_type_, row,
                                offset_text(c_, operand.access, rows, row)));
    lines.push_back(fmt::format("const auto {}_column = []({} k) {{ return {}; }};", side, offset_type_,
                                offset_text(c_, operand.access, c_.k, "k")));
    std::string from = name;
    if (operand.access.base != 0) from += fmt::format(" + {}", operand.access.base);
    if (const std::string at = offset_text(c_, operand.access, c_.batch, "batch"); at != "0")
      from += (at.starts_with("-") ? " + (" : " + ") + at + (at.starts_with("-") ? ")" : "");
    lines.push_back(fmt::format("const Stager<{}, {}, {}, {}, {}> {}({}, {}_first, {}, {}_row);",
                                panel(staging, row == "m" ? s_.tile_m : s_.tile_n), staging.width, s_.threads,
                                type_text(operand_type(side == "a" ? 0 : 1)), offset_type_, side, from, row,
                                c_.size(rows), side));
  }

  std::string widened(const ContractOperand& operand, const Staging& staging) const {
    return staging.converts ? ", " + widening_text(operand, c_.stored_type(operand), staging.element) : "";
  }

  Lines epilogue() {
    Lines lines, inside;
    const int across = s_.tile_n / s_.width;
    lines.push_back("#pragma unroll 1");
    lines.push_back(
        fmt::format("for (int i = static_cast<int>(threadIdx.x); i < {}; i += {}) {{", s_.tile_m * across, s_.threads));
    inside.push_back(fmt::format("const int row = i / {}, column = i % {}{};", across, across,
                                 s_.width > 1 ? fmt::format(" * {}", s_.width) : ""));
    inside.push_back(fmt::format("const {} m = m_first + row, n = n_first + column;", offset_type_));
    std::string beyond;
    if (c_.size(c_.m) % s_.tile_m != 0) beyond = fmt::format("m >= {}", c_.size(c_.m));
    if (c_.size(c_.n) % s_.tile_n != 0)
      beyond += (beyond.empty() ? "" : " || ") + fmt::format("n >= {}", c_.size(c_.n));
    if (!beyond.empty()) inside.push_back("if (" + beyond + ") continue;");
    int dim = s_.parts > 1 ? 1 : 0;
    decode(inside, "batch", c_.batch, dim);
    decode(inside, "m", c_.m, dim);
    decode(inside, "n", c_.n, dim);
    if (values_.ends_early())
      inside.push_back(fmt::format("const int left = {} - static_cast<int>({});", form_.extent.back(),
                                   values_.addresses.dim_name(form_.dims() - 1)));
    const auto sum = form_.body->getArgument(form_.body->getNumArguments() - 1);
    if (s_.width > 1) {
      values_.chunk.push_back(fmt::format("const Vector<{}, {}> sum = load<{}>(sums.address(row, column));", sum_type(),
                                          s_.width, s_.width));
      values_.call_in_lane(sum, "sum[i]");
    } else {
      values_.row.push_back(fmt::format("const {} sum = *sums.address(row, column);", sum_type()));
      values_.call_in_row(sum, "sum");
    }
    append(inside, point_lines(values_), 0);
    append(lines, inside, 1);
    lines.push_back("}");
    return lines;
  }
  // The dims of a side from the number that counts its points.
  void decode(Lines& to, const std::string& number, Side side, int& dim) const {
    std::vector<int> dims;
    for (int d = 0; d < side.count(); ++d) dims.push_back(dim++);
    if (side.count() > 1) values_.addresses.decode(to, number, dims, 1);
  }

  const Contraction& c_;
  const ContractSchedule& s_;
  const codegen::Form form_;
  const codegen::Stages stages_;
  const RowSchedule points_;
  std::vector<std::string> operand_names_;
  ValuesText values_;
  std::string offset_type_;
};

}  // namespace

std::string contract_text(const Contraction& c, const ContractSchedule& schedule, const Epilogue& epilogue,
                          KernelWords words) {
  return Text(c, schedule, epilogue, std::move(words)).all();
}

}  // namespace tessera::cuda
