#include <tessera/codegen/cuda/routines/routine.h>

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include <tessera/codegen/cpu/runtime/library.h>
#include <tessera/codegen/cuda/rows/unsupported.h>
#include <tessera/core/error.h>

namespace tessera::cuda {

RoutineFacts routine_facts(const std::string& name, const std::vector<int64_t>& parameters,
                           const std::vector<std::string>& operands, const std::string& result) {
  RoutineFacts facts;
  facts.name = name;
  Names names;
  for (const char* word : {"start", "tile", "part", "begin", "to", "runs", "lane", "place", "keys", "totals", "words"})
    names.identifier(word);
  for (const std::string& operand : operands) facts.operands.push_back(names.identifier(operand));
  facts.result = names.identifier(result);
  facts.dtype = static_cast<DType>(parameters[codegen::library_dtype]);
  facts.index_dtype = static_cast<DType>(parameters[codegen::library_index_dtype]);
  facts.outer = parameters[codegen::library_outer];
  facts.extent = parameters[codegen::library_extent];
  facts.inner = parameters[codegen::library_inner];
  const int64_t option = parameters[codegen::library_option];
  facts.descending = option != 0;
  facts.scan = static_cast<ScanKind>(option);
  facts.scatter = static_cast<ScatterMode>(option);
  facts.reverse = parameters[codegen::library_reverse] != 0;
  facts.index_count = parameters[codegen::library_index_count];
  const auto extents = parameters.begin() + codegen::library_parameter_count;
  const auto part = extents + (parameters.end() - extents) / 2;
  facts.extents.assign(extents, part);
  facts.part.assign(part, parameters.end());
  return facts;
}

void RoutineKernel::reads(const std::string& type, const std::string& name, RoutineValue value) {
  const auto at = static_cast<std::ptrdiff_t>(read++);
  parameters.insert(parameters.begin() + at, "const " + type + "* __restrict__ " + name);
  values.insert(values.begin() + at, value);
}
void RoutineKernel::writes(const std::string& type, const std::string& name, RoutineValue value) {
  parameters.push_back(type + "* __restrict__ " + name);
  values.push_back(value);
}

void RoutineKernel::thread_each(int64_t count) {
  const char* type = count < INT32_MAX - threads ? "int" : "i64";
  body.push_back(
      fmt::format("const {0} t = static_cast<{0}>(blockIdx.x) * {1} + static_cast<int>(threadIdx.x);", type, threads));
  if (count % threads != 0) body.push_back(fmt::format("if (t >= {}) return;", count));
  blocks = ceil_div(count, threads);
}

RoutineKernel& Routine::kernel(const std::string& step) {
  kernels.emplace_back();
  kernels.back().step = step;
  return kernels.back();
}

RoutineValue Routine::temporary(int64_t elements, int64_t element_bytes) {
  temporaries.push_back(elements * element_bytes);
  return {RoutineValue::What::temporary, static_cast<int>(temporaries.size()) - 1};
}

RoutineValue Routine::count_with(int64_t words) {
  counters = words;
  return {RoutineValue::What::counters};
}

Routine lower_routine(RoutineFacts facts) {
  Routine routine(std::move(facts));
  const std::string& name = routine.facts.name;
  if (name == "argmax" || name == "argmin") add_arg_extreme(routine);
  else if (name == "scan") add_scan(routine);
  else if (name == "argsort") add_argsort(routine);
  else if (name == "scatter") add_scatter(routine);
  else if (name == "dynamic_update_slice") add_update_slice(routine);
  else throw InternalError("no routine " + name);
  return routine;
}

std::string routine_text(const RoutineKernel& kernel, const std::vector<std::string>& head) {
  std::string text;
  for (const std::string& line : head) text += line.empty() ? "//\n" : "// " + line + "\n";
  text += "#include \"routines.cuh\"\n\nnamespace tessera {\n\n";
  text += fmt::format("extern \"C\" __constant__ Launch NAME_launch = {{{}, 1, 0, {{}}}};\n\n", kernel.threads);
  Lines parameters = kernel.parameters;
  if (kernel.notes_indices) parameters.push_back("i64* errors");
  const std::string bounds = kernel.blocks_at_once ? fmt::format("{}, {}", kernel.threads, kernel.blocks_at_once)
                                                   : fmt::format("{}", kernel.threads);
  text += fmt::format("extern \"C\" __global__ void __launch_bounds__({})\nNAME({}) {{\n", bounds,
                      parameter_list(parameters, 5));
  for (const std::string& line : kernel.body) text += "  " + line + "\n";
  return text + "}\n\n}  // namespace tessera\n";
}

std::string storage_text(DType dtype) {
  switch (dtype) {
    case DType::f64: return "double";
    case DType::f32: return "float";
    case DType::i32: return "int";
    case DType::boolean: return "bool";
    case DType::f8e4m3:
    case DType::f8e5m2: return "u8";  // only moved
    default: return std::string(name(dtype));
  }
}

std::string computed_text(DType dtype) {
  if (is_storage_only(dtype)) throw Unsupported{"arithmetic on " + std::string(name(dtype))};
  return dtype == bf16 || dtype == f16 ? "float" : storage_text(dtype);
}
int64_t computed_bytes(DType dtype) { return std::max<int64_t>(is_float(dtype) ? 4 : 1, size_of(dtype)); }

int widest_run(DType dtype, int64_t inner) {
  int width = std::min(8, 16 / static_cast<int>(size_of(dtype)));
  while (inner % width != 0) width /= 2;
  return width;
}

std::string row_start(const RoutineFacts& facts) {
  const std::string along = facts.inner == 1 ? fmt::format("static_cast<i64>(row) * {}", facts.extent)
                                             : fmt::format("static_cast<i64>(row / {0}) * {1} + row % {0}", facts.inner,
                                                           facts.extent * facts.inner);
  return "const i64 start = " + along + ";";
}

}  // namespace tessera::cuda
