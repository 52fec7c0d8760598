#include <tessera/codegen/cuda/cascade/operands.h>

#include <cstdlib>

#include <fmt/format.h>

#include <tessera/codegen/cuda/rows/scalar_text.h>

namespace tessera::cuda {
namespace {

std::string panel(mlir::Type element, int64_t rows, int64_t depth, bool along_k) {
  return fmt::format("Panel<{}, {}, {}, Lie::{}{}>", type_text(element), rows, depth,
                     along_k ? "along_k" : "along_rows", element.isF32() ? ", Reads::pairs" : "");
}

// What passes through registers on its way: copies that run on their own have 4 bytes at least.
std::string as_it_is(const PlaneOperand& operand, const PlaneStaging& one) {
  return one.width * operand.bytes() >= 4 ? "" : fmt::format(", []({} x) {{ return x; }}", type_text(operand.element));
}

// Σ stride · dim over the dims from `begin` to `end`, with its sign: " + outer * 64".
std::string terms(const PlaneOperand& operand, const std::vector<std::string>& dims, int begin, int end) {
  std::string text;
  for (int d = begin; d < end; ++d) {
    const int64_t stride = operand.stride[static_cast<size_t>(d)];
    if (stride == 0 || dims[static_cast<size_t>(d)] == "0") continue;
    text += stride < 0 ? " - " : " + ";
    text += dims[static_cast<size_t>(d)];
    if (std::abs(stride) != 1) text += fmt::format(" * {}", std::abs(stride));
  }
  return text;
}

// Without the plus in front.
std::string leading(const std::string& text) {
  if (text.empty()) return "0";
  return text.starts_with(" + ") ? text.substr(3) : "-" + text.substr(3);
}

}  // namespace

std::string OperandsText::panel_of_rows(size_t k) const {
  const PlaneStaging& one = p_.s.rows[k];
  return panel(p_.c.row_operands[k].element, p_.s.group(), one.line_depth, one.along_depth);
}

// Its rows are depth and K the columns, as a sum over columns has it. A score has it turned.
std::string OperandsText::panel_of_columns(size_t k) const {
  const PlaneStaging& one = p_.s.columns[k];
  return panel(p_.c.stream_operands[k].element, one.line_depth, p_.s.block, !one.along_depth);
}

Lines OperandsText::in_shared_memory() const {
  Lines lines;
  for (size_t k = 0; k < p_.s.rows.size(); ++k) lines.push_back(panel_of_rows(k) + " " + p_.row_names[k] + ";");
  for (size_t k = 0; k < p_.s.columns.size(); ++k)
    lines.push_back(panel_of_columns(k) + " " + p_.column_names[k] + "[2];");
  for (mlir::BlockArgument argument : p_.c.body().getArguments())
    if (p_.is_in_shared_memory(argument))
      lines.push_back(
          fmt::format("{} {}[2][{}];", type_text(argument.getType()), p_.vector_names[argument], p_.s.block));
  return lines;
}

std::string OperandsText::walk(const PlaneOperand& operand, int dim) const {
  const std::string outer =
      dim == p_.c.column_dim ? terms(operand, p_.words.dims, p_.c.row_dim + 1, p_.c.column_dim) : "";
  const std::string name = dim == p_.c.column_dim ? "n" : "m";
  std::string text = outer;
  const int64_t stride = operand.stride[static_cast<size_t>(dim)];
  if (stride != 0) {
    text += stride < 0 ? " - " : " + ";
    text += name;
    if (std::abs(stride) != 1) text += fmt::format(" * {}", std::abs(stride));
  }
  return fmt::format("[{}]({} {}) {{ return {}; }}", outer.empty() ? "" : "=", p_.words.offset_type, name,
                     leading(text));
}

std::string OperandsText::along_depth(const PlaneOperand& operand) const {
  std::string text;
  int64_t inner = 1;
  for (size_t k = operand.along.size(); k-- > 0;) {
    const auto [extent, stride] = operand.along[k];
    std::string term = "d";
    if (inner != 1) term += fmt::format(" / {}", inner);
    if (k > 0) term += fmt::format(" % {}", extent);
    if (std::abs(stride) != 1) term += fmt::format(" * {}", std::abs(stride));
    if (stride != 0) text = (stride < 0 ? " - " : " + ") + term + text;
    inner *= extent;
  }
  return fmt::format("[]({} d) {{ return {}; }}", p_.words.offset_type, leading(text));
}

std::string OperandsText::stager(const std::string& name, const std::string& panel, const PlaneOperand& operand,
                                 int width, const std::string& first_and_end, const std::string& rows) const {
  std::string from = p_.words.words.inputs[operand.argument] + terms(operand, p_.words.dims, 0, p_.c.row_dim);
  if (operand.base != 0) from += fmt::format(" {} {}", operand.base < 0 ? "-" : "+", std::abs(operand.base));
  return fmt::format("const Stager<{}, {}, {}, {}, {}> {}({}, {}, {});", panel, width, p_.s.threads(),
                     type_text(operand.element), p_.words.offset_type, name, from, first_and_end, rows);
}

Lines OperandsText::bring_rows() const {
  Lines lines;
  for (size_t k = 0; k < p_.s.rows.size(); ++k) {
    const PlaneOperand& operand = p_.c.row_operands[k];
    const std::string& name = p_.row_names[k];
    lines.push_back(stager(name, panel_of_rows(k), operand, p_.s.rows[k].width, fmt::format("m_first, {}", p_.c.rows),
                           walk(operand, p_.c.row_dim)));
    lines.push_back(fmt::format("{}.load(shared.{}, 0, {}, {}{});", name, name, operand.depth(), along_depth(operand),
                                as_it_is(operand, p_.s.rows[k])));
  }
  return lines;
}

Lines OperandsText::bring_columns() const {
  Lines lines, inside = p_.of_block();
  for (size_t k = 0; k < p_.s.columns.size(); ++k) {
    const PlaneOperand& operand = p_.c.stream_operands[k];
    const std::string& name = p_.column_names[k];
    lines.push_back(stager(name, panel_of_columns(k), operand, p_.s.columns[k].width,
                           fmt::format("0, {}", operand.depth()), along_depth(operand)));
    inside.push_back(fmt::format("{}.load(shared.{}[slot], n_first, {}, {}{});", name, name, p_.c.columns,
                                 walk(operand, p_.c.column_dim), as_it_is(operand, p_.s.columns[k])));
  }
  Lines vectors;
  for (mlir::BlockArgument argument : p_.c.body().getArguments()) {
    if (!p_.is_in_shared_memory(argument)) continue;
    const unsigned k = argument.getArgNumber();
    vectors.push_back(fmt::format("copy_async<{}>(&shared.{}[slot][threadIdx.x], {} + {}, true);",
                                  argument.getType().isInteger(64) ? 8 : 4, p_.vector_names[argument],
                                  p_.words.words.inputs[k], offset_text(p_.c.in_map(k), p_.words.dims)));
  }
  if (!vectors.empty()) {
    inside.push_back(fmt::format("if (threadIdx.x < {}) {{", p_.s.block));
    inside.push_back(fmt::format("  const {} n = min(n_first + static_cast<int>(threadIdx.x), {});",
                                 p_.words.offset_type, p_.c.columns - 1));
    append(inside, vectors, 1);
    inside.push_back("}");
  }
  lines.push_back("const auto bring = [&](int slot, int block) {");
  append(lines, inside, 1);
  lines.push_back("};");
  return lines;
}

Lines OperandsText::hold_rows() const {
  Lines lines;
  if (llvm::is_contained(p_.s.in_registers, true)) {
    lines.push_back("wait_for_groups<0>();");
    lines.push_back("__syncthreads();");
  }
  for (size_t k = 0; k < p_.s.rows.size(); ++k) {
    const std::string& name = p_.row_names[k];
    if (p_.c.row_operands[k].element.isF32()) {
      lines.push_back(
          fmt::format("const PairsInShared<{}, {}> {}_left(shared.{});", panel_of_rows(k), p_.s.down, name, name));
    } else if (p_.s.in_registers[k]) {
      lines.push_back(fmt::format("LeftInRegisters<{}, {}, {}> {}_left;", type_text(p_.c.row_operands[k].element),
                                  p_.s.down, p_.s.rows[k].depth, name));
      lines.push_back(fmt::format("{0}_left.load(shared.{0});", name));
    } else {
      lines.push_back(
          fmt::format("const LeftInShared<{}, {}> {}_left{{shared.{}}};", panel_of_rows(k), p_.s.down, name, name));
    }
  }
  return lines;
}

Lines OperandsText::scores() const {
  Lines lines;
  for (size_t k = 0; k < p_.c.scores.size(); ++k) {
    const PlaneScore& one = p_.c.scores[k];
    lines.push_back(fmt::format("Plane<{}, {}> {} = {{}};", p_.s.down, p_.across(), p_.score_names[k]));
    lines.push_back(fmt::format("{}({}, {}_left, turned(shared.{}[slot]));",
                                p_.multiply_text(p_.c.row_operands[one.left].element, p_.s.rows[one.left].depth),
                                p_.score_names[k], p_.row_names[one.left], p_.column_names[one.right]));
  }
  return lines;
}

}  // namespace tessera::cuda
