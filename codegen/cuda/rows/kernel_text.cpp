#include <tessera/codegen/cuda/rows/kernel_text.h>

#include <fmt/ranges.h>

#include <tessera/codegen/cuda/rows/parameters.h>
#include <tessera/codegen/cuda/rows/points_text.h>
#include <tessera/codegen/cuda/rows/rows_text.h>

namespace tessera::cuda {
std::string row_kernel_text(const codegen::Form& form, const codegen::Stages& stages, const RowSchedule& schedule,
                            KernelWords words) {
  ValuesText values(form, stages, schedule, std::move(words));
  RowsText rows;
  if (schedule.kind == RowSchedule::Kind::points) rows.body = points_text(values);
  else rows = rows_text(values);
  drop_unused(rows.body);
  std::string text;
  for (const std::string& line : values.words.head) text += line.empty() ? "//\n" : "// " + line + "\n";
  const std::string held = values.words.kernel + "_rows";
  if (rows.copies) text += "#include \"async.cuh\"\n";
  if (schedule.has_groups()) text += "#include \"barrier.cuh\"\n";
  if (values.words.is_early) text += "#include \"early.cuh\"\n";
  if (rows.adds_parts) text += "#include \"last_block.cuh\"\n";
  text += "#include \"rows.cuh\"\n";
  if (!rows.held.empty()) text += "#include \"shared_memory.cuh\"\n";
  text += "\nnamespace tessera {\n\n";
  if (!rows.held.empty()) {
    text += "struct " + held + " {\n";
    for (const std::string& line : rows.held) text += "  " + line + "\n";
    text += "};\n\n";
  }
  text += launch_constant(
      values.words, fmt::format("{}, 1, {}, {{}}", schedule.block(), rows.held.empty() ? "0" : "sizeof(" + held + ")"));
  text += fmt::format("extern \"C\" __global__ void __launch_bounds__({}{})\n{}({}) {{\n", schedule.block(),
                      schedule.blocks_at_once > 0 ? fmt::format(", {}", schedule.blocks_at_once) : "",
                      values.words.kernel, parameter_list(parameters_of(values), values.words.kernel.size() + 1));
  if (values.words.is_early)
    text += "  " + wait_for_launch_before(fmt::format("{}", fmt::join(values.words.inputs, ", "))) + "\n";
  if (!rows.held.empty()) text += fmt::format("  auto& held = shared_memory<{}>();\n", held);
  for (const std::string& line : rows.shared) text += "  " + line + "\n";
  for (const std::string& line : rows.body)
    text += line.starts_with("#") || line.empty() ? line + "\n" : "  " + line + "\n";
  return text + "}\n\n}  // namespace tessera\n";
}

std::string schedule_text(const codegen::Stages& stages, const RowSchedule& s) {
  std::string text;
  switch (s.kind) {
    case RowSchedule::Kind::points:
      return fmt::format("{} elements a thread, {} threads a block, {} blocks", s.width, s.threads, s.blocks);
    case RowSchedule::Kind::lanes:
      text = fmt::format("a row in each lane, {} warps share its {} elements", s.threads, s.columns);
      break;
    case RowSchedule::Kind::rows:
      text = fmt::format("{} threads a row of {}, {} at once", s.threads, s.columns, s.width);
      break;
  }
  text += s.chunks > 0         ? fmt::format(", {} times", s.chunks)
          : s.in_shared_memory ? ", in a loop, from shared memory"
          : s.is_running       ? ", in one walk"
                               : ", in a loop";
  if (!stages.columns.empty())
    text += fmt::format("; {} groups walk {} rows each", s.groups, (s.rows + s.groups - 1) / s.groups);
  return text + fmt::format("; {} blocks", s.blocks);
}

}  // namespace tessera::cuda
