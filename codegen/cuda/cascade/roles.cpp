#include <tessera/codegen/cuda/cascade/roles.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <tessera/codegen/cuda/cascade/role_schedule.h>
#include <tessera/codegen/cuda/rows/scalar_text.h>

namespace tessera::cuda {

std::string RolesText::tile(const PlaneOperand& operand, const PlaneStaging& staging, int64_t rows) const {
  return fmt::format("Tile<{}, {}, {}>", type_text(operand.element), rows, staging.line_depth);
}

std::string RolesText::launch_facts() const {
  std::string boxes, maps;
  auto add = [&](const std::vector<PlaneOperand>& operands, const std::vector<Mapped>& tensors, int64_t rows) {
    for (size_t k = 0; k < operands.size(); ++k) {
      const Mapped& one = tensors[k];
      boxes += fmt::format("{}{}", boxes.empty() ? "" : ", ", rows);
      maps += fmt::format("{}\n    {{{}, {}, {}, {{{}}}, {{{}}}}}", maps.empty() ? "" : ",", operands[k].argument,
                          one.rank(), one.first, fmt::join(one.extents, ", "), fmt::join(one.strides, ", "));
    }
  };
  add(p_.c.row_operands, p_.s.row_maps, p_.s.group());
  add(p_.c.stream_operands, p_.s.column_maps, p_.s.block);
  return fmt::format("{}, 1, sizeof({}_shared), {{{}}}, {}, {{{}}}", p_.s.launched_threads(), p_.words.words.kernel,
                     boxes, p_.s.row_maps.size() + p_.s.column_maps.size(), maps);
}

std::string RolesText::parameter(unsigned argument) const {
  for (const std::vector<PlaneOperand>* operands : {&p_.c.row_operands, &p_.c.stream_operands})
    for (const PlaneOperand& one : *operands)
      if (one.argument == argument) return "const TensorMap __grid_constant__ " + p_.words.words.inputs[argument];
  return "";
}

bool RolesText::has_vectors() const {
  return llvm::any_of(p_.c.body().getArguments(),
                      [&](mlir::BlockArgument argument) { return p_.is_in_shared_memory(argument); });
}

Lines RolesText::in_shared_memory() const {
  Lines lines;
  for (size_t k = 0; k < p_.s.rows.size(); ++k)
    lines.push_back(fmt::format("{} {};", tile(p_.c.row_operands[k], p_.s.rows[k], p_.s.group()), p_.row_names[k]));
  for (size_t k = 0; k < p_.s.columns.size(); ++k)
    lines.push_back(fmt::format("{} {}[{}];", tile(p_.c.stream_operands[k], p_.s.columns[k], p_.s.block),
                                p_.column_names[k], role_stages));
  for (mlir::BlockArgument argument : p_.c.body().getArguments())
    if (p_.is_in_shared_memory(argument))
      lines.push_back(fmt::format("{} {}[{}][{}];", type_text(argument.getType()), p_.vector_names[argument],
                                  role_stages, p_.s.block));
  lines.push_back("Channel<1> rows_ready;");
  lines.push_back(fmt::format("Channel<{}> columns_ready;", role_stages));
  return lines;
}

Lines RolesText::open_channels() const {
  return {"shared.rows_ready.init(1);", fmt::format("shared.columns_ready.init(1{});", has_vectors() ? ", 2" : ""),
          "publish_barriers<1>();"};
}

std::string RolesText::load(const std::string& to, const PlaneOperand& operand, const Mapped& map,
                            const std::string& first) const {
  std::string at = "0, " + first;
  for (int d : map.batch) at += ", " + p_.words.dims[static_cast<size_t>(d)];
  const std::string slot = first == "m_first" ? "whole" : "slot";
  return fmt::format("load({}, {}, {}, {});", to, p_.words.words.inputs[operand.argument], slot, at);
}

Lines RolesText::copy_rows() const {
  Lines lines{"WarpWriter rows_ready(shared.rows_ready);", "WarpWriter columns_ready(shared.columns_ready);"};
  std::string bytes;
  Lines loads;
  for (size_t k = 0; k < p_.s.rows.size(); ++k) {
    const PlaneOperand& operand = p_.c.row_operands[k];
    bytes += fmt::format("{}bytes_of<{}>", bytes.empty() ? "" : " + ", tile(operand, p_.s.rows[k], p_.s.group()));
    loads.push_back(load("shared." + p_.row_names[k], operand, p_.s.row_maps[k], "m_first"));
  }
  lines.push_back(fmt::format("const Slot whole = rows_ready.put({});", bytes));
  lines.push_back("if (lane() == 0) {");
  append(lines, loads, 1);
  lines.push_back("}");
  return lines;
}

Lines RolesText::copy_columns() const {
  Lines lines = p_.of_block(), loads, vectors;
  std::string bytes;
  for (size_t k = 0; k < p_.s.columns.size(); ++k) {
    const PlaneOperand& operand = p_.c.stream_operands[k];
    bytes += fmt::format("{}bytes_of<{}>", bytes.empty() ? "" : " + ", tile(operand, p_.s.columns[k], p_.s.block));
    loads.push_back(load("shared." + p_.column_names[k] + "[slot]", operand, p_.s.column_maps[k], "n_first"));
  }
  lines.push_back(fmt::format("const Slot slot = columns_ready.put({});", bytes));
  lines.push_back("if (lane() == 0) {");
  append(lines, loads, 1);
  lines.push_back("}");
  if (!has_vectors()) return lines;
  for (mlir::BlockArgument argument : p_.c.body().getArguments())
    if (p_.is_in_shared_memory(argument))
      vectors.push_back(fmt::format("shared.{}[slot][column] = {}[{}];", p_.vector_names[argument],
                                    p_.words.words.inputs[argument.getArgNumber()],
                                    offset_text(p_.c.in_map(argument.getArgNumber()), p_.words.dims)));
  lines.push_back("#pragma unroll");
  lines.push_back(fmt::format("for (int column = lane(); column < {}; column += 32) {{", p_.s.block));
  lines.push_back(fmt::format("  const {} n = min(n_first + column, {});", p_.words.offset_type, p_.c.columns - 1));
  append(lines, vectors, 1);
  lines.push_back("}");
  lines.push_back("columns_ready.written(slot);");
  return lines;
}

Lines RolesText::ends_of_channels() const {
  return {"Reader rows_ready(shared.rows_ready);", "Reader columns_ready(shared.columns_ready);"};
}

Lines RolesText::scores() const {
  Lines lines;
  std::string names, sizes;
  for (size_t k = 0; k < p_.c.scores.size(); ++k) {
    const PlaneScore& one = p_.c.scores[k];
    lines.push_back(fmt::format("Plane<1, {}> {};", p_.across(), p_.score_names[k]));
    lines.push_back(fmt::format("begin_scores<{}>({}, shared.{}, shared.{}[slot]);", p_.s.rows[one.left].depth,
                                p_.score_names[k], p_.row_names[one.left], p_.column_names[one.right]));
    names += (names.empty() ? "" : ", ") + p_.score_names[k];
    sizes += fmt::format("{}{}", sizes.empty() ? "" : ", ", p_.across());
  }
  lines.push_back(fmt::format("wait_for_products<{}>({});", sizes, names));
  return lines;
}

}  // namespace tessera::cuda
