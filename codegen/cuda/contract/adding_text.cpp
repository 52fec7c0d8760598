#include <tessera/codegen/cuda/contract/adding_text.h>

#include <fmt/format.h>

#include <tessera/codegen/cuda/contract/finish_text.h>
#include <tessera/codegen/cuda/contract/schedule.h>
#include <tessera/codegen/cuda/rows/parameters.h>
#include <tessera/codegen/cuda/rows/points_text.h>
#include <tessera/codegen/cuda/rows/scalar_text.h>

namespace tessera::cuda {
namespace {

// So many are asked for before the first is added.
constexpr int64_t most_at_once = 8;

}  // namespace

AddingSchedule schedule_adding(const Contraction& c, int64_t parts) {
  AddingSchedule s;
  s.parts = parts;
  s.width = epilogue_width(c);
  const int64_t last = c.n.count() == 0 ? 1 : c.extent[static_cast<size_t>(c.n.end) - 1];
  if (last % s.width != 0) s.width = 1;
  s.blocks = (c.size(c.batch) * c.size(c.m) * c.size(c.n) / s.width + s.threads - 1) / s.threads;
  return s;
}

std::string schedule_text(const AddingSchedule& s) {
  return fmt::format("{} parts in their order, {} elements a thread, {} threads a block, {} blocks", s.parts, s.width,
                     s.threads, s.blocks);
}

std::string adding_text(const Contraction& c, const AddingSchedule& schedule, const Epilogue& epilogue,
                        KernelWords words) {
  const codegen::Form form = codegen::read_form(epilogue.kernel);
  const codegen::Stages stages = codegen::make_stages(form);
  RowSchedule points = neighbours_along_n(form, schedule.width);
  points.threads = schedule.threads, points.blocks = schedule.blocks;
  const std::string parts = words.inputs.back();
  words.inputs.back() = "sum";
  words.made_here = 1;
  words.taken = {"sum", "more", "p", "i", "t"};
  ValuesText values(form, stages, points, std::move(words));
  const std::string from = values.names.identifier(parts);

  // The sums of all parts lie one after the other.
  const auto sum = form.body->getArgument(form.body->getNumArguments() - 1);
  const std::string at = values.addresses.offset(form.in.back(), false);
  const int64_t apart = c.size(c.batch) * c.size(c.m) * c.size(c.n);
  const std::string step = fmt::format("{}{}", apart * schedule.parts > INT32_MAX ? "i64(p) * " : "p * ", apart);
  const std::string type = fmt::format("Vector<{}, {}>", type_text(sum.getType()), schedule.width);
  const std::string add = sum.getType().isInteger() ? "sum[i] = wrapping_add(sum[i], more[i]);" : "sum[i] += more[i];";
  Lines adding{fmt::format("{} sum = load_once<{}>({} + {});", type, schedule.width, from, at),
               fmt::format("#pragma unroll {}", std::min(schedule.parts, most_at_once)),
               fmt::format("for (int p = 1; p < {}; ++p) {{", schedule.parts),
               fmt::format("  const {} more = load_once<{}>({} + {} + {});", type, schedule.width, from, step, at),
               "#pragma unroll",
               fmt::format("  for (int i = 0; i < {}; ++i) {}", schedule.width, add),
               "}"};
  append(schedule.width > 1 ? values.chunk : values.row, adding, 0);
  if (schedule.width > 1) values.call_in_lane(sum, "sum[i]");
  else values.call_in_row(sum, "sum[0]");
  Lines body = points_text(values);
  drop_unused(body);

  const std::string& name = values.words.kernel;
  Lines parameters = parameters_of(values);
  parameters.insert(parameters.begin() + static_cast<std::ptrdiff_t>(form.in.size()) - 1,
                    input_parameter(sum.getType(), from, values.words));
  std::string text;
  for (const std::string& line : values.words.head) text += line.empty() ? "//\n" : "// " + line + "\n";
  if (values.words.is_early) text += "#include \"early.cuh\"\n";
  text += "#include \"rows.cuh\"\n\nnamespace tessera {\n\n";
  text += launch_constant(values.words, fmt::format("{}, 1, 0, {{}}", schedule.threads));
  text += fmt::format("extern \"C\" __global__ void __launch_bounds__({})\n{}({}) {{\n", schedule.threads, name,
                      parameter_list(parameters, name.size() + 1));
  if (values.words.is_early) text += "  " + wait_for_launch_before(from) + "\n";
  for (const std::string& line : body) text += line.starts_with("#") || line.empty() ? line + "\n" : "  " + line + "\n";
  return text + "}\n\n}  // namespace tessera\n";
}

}  // namespace tessera::cuda
