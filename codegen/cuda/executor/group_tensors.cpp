#include <tessera/codegen/cuda/executor/group_tensors.h>

#include <algorithm>
#include <cctype>
#include <map>

#include <fmt/format.h>

#include <tessera/codegen/cpu/key.h>
#include <tessera/codegen/plan/group_launches.h>
#include <tessera/core/error.h>

namespace tessera::cuda {
namespace {

using codegen::PlanLaunch;

constexpr size_t most_parameter_bytes = 32000;  // of a kernel, as NVRTC has it from 12.1 on

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin < list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    const size_t first = list.find_first_not_of(" \n", begin);
    parts.push_back(list.substr(first, end - first));
    begin = end + 1;
  }
  return parts;
}

// "const float* __restrict__ m" → "const float*", "__restrict__ ", "m"; "const i64 vectors" → "i64", "", "vectors"
struct Parameter {
  std::string type, restricted, name;
};
Parameter read_parameter(const std::string& text) {
  const size_t star = text.find('*'), name = text.rfind(' ') + 1;
  if (star == std::string::npos) {
    check_internal(text.starts_with("const i64 "), "a parameter of a row kernel is a pointer or a number");
    return {"i64", "", text.substr(name)};
  }
  return {text.substr(0, star + 1), text.find("__restrict__") != std::string::npos ? "__restrict__ " : "",
          text.substr(name)};
}

// Does the text say this word? A kernel need not read all that it is given.
bool names(const std::string& text, const std::string& word) {
  auto in_word = [&](size_t at) {
    return at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) || text[at] == '_');
  };
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1))
    if ((at == 0 || !in_word(at - 1)) && !in_word(at + word.size())) return true;
  return false;
}

constexpr int64_t different = 0;  // numbers of blocks

// The text of `kernel` for `count` tensors, each by `blocks` blocks.
KernelSource group_text(const KernelSource& kernel, size_t count, int64_t blocks) {
  KernelSource made = kernel;
  made.name = fmt::format("{}_x{}", kernel.name, count);
  made.key = codegen::blake3_hex(fmt::format("{} tensors of {} blocks\n{}", count, blocks, kernel.key));
  std::string& text = made.text;
  const size_t open = text.find(kernel.name + "(", text.find("__global__")) + kernel.name.size() + 1,
               close = text.find(") {\n", open);
  std::string body = text.substr(close + 4), parameters, first_lines;
  const bool has_place = body.find("blockIdx.x") != std::string::npos;  // a block alone need not say where it is
  if (blocks == different) {
    first_lines =
        "  const int tensor = tensor_of(first_block_of, static_cast<int>(blockIdx.x));\n"
        "  const int block = static_cast<int>(blockIdx.x) - static_cast<int>(first_block_of.of[tensor]);\n";
  } else {
    first_lines = fmt::format("  const int tensor = static_cast<int>(blockIdx.x){};\n",
                              blocks == 1 ? "" : fmt::format(" / {}", blocks));
    if (has_place)
      first_lines +=
          fmt::format("  const int block = {};\n", blocks == 1 ? "0" : fmt::format("blockIdx.x % {}", blocks));
  }
  for (const std::string& one : split(text.substr(open, close - open))) {
    const Parameter p = read_parameter(one);
    parameters += fmt::format("{}const Each<{}, {}> __grid_constant__ {}_of", parameters.empty() ? "" : ",\n    ",
                              p.type, count, p.name);
    if (!names(body, p.name)) continue;
    first_lines += fmt::format("  {}{} {}{} = {}_of.of[tensor];\n", p.type == "i64" ? "const " : "", p.type,
                               p.restricted, p.name, p.name);
  }
  if (blocks == different)
    parameters += fmt::format(",\n    const Each<i64, {}> __grid_constant__ first_block_of", count);
  replace_all(body, "static_cast<int>(blockIdx.x)", "block");
  replace_all(body, "blockIdx.x", "block");
  text = text.substr(0, open) + parameters + ") {\n" + first_lines + body;
  text.insert(text.find("//\n", text.find('\n')) + 3,
              fmt::format("//   tensors    {}; what follows is of one\n", count));
  replace_all(text, "#include \"rows.cuh\"\n", "#include \"each.cuh\"\n#include \"rows.cuh\"\n");
  replace_all(text, kernel.name, made.name);
  return made;
}

// One launch for those from `begin` to `end`.
PlanLaunch join(const std::vector<PlanLaunch>& launches, size_t begin, size_t end) {
  PlanLaunch made = launches[begin];
  made.joins = false;
  made.parameters = {static_cast<int64_t>(end - begin)};
  if (!numbers_of(launches[begin]).empty()) {
    for (size_t number = 0; number < numbers_of(launches[begin]).size(); ++number)
      for (size_t k = begin; k < end; ++k) made.parameters.push_back(numbers_of(launches[k])[number]);
    int64_t first_block = 0;
    for (size_t k = begin; k < end; first_block += launches[k++].tasks) made.parameters.push_back(first_block);
  }
  made.values.clear(), made.writes.clear(), made.ops.clear();
  made.tasks = made.bytes = made.flops = 0;
  for (size_t parameter = 0; parameter < launches[begin].values.size(); ++parameter)
    for (size_t k = begin; k < end; ++k) made.values.push_back(launches[k].values[parameter]);
  made.reads *= static_cast<int>(end - begin);
  for (size_t k = begin; k < end; ++k) {
    const PlanLaunch& one = launches[k];
    made.writes.insert(made.writes.end(), one.writes.begin(), one.writes.end());
    made.ops.insert(made.ops.end(), one.ops.begin(), one.ops.end());
    made.tasks += one.tasks, made.bytes += one.bytes, made.flops += one.flops;
  }
  std::ranges::sort(made.ops);
  made.ops.erase(std::unique(made.ops.begin(), made.ops.end()), made.ops.end());
  return made;
}

void drop_unused_kernels(LoweredProgram& program) {
  std::vector<int> number(program.kernels.size(), -1);
  for (const PlanLaunch& launch : program.plan.launches)
    if (launch.kernel >= 0) number[static_cast<size_t>(launch.kernel)] = 0;
  std::vector<codegen::PlanKernel> kept;
  std::vector<KernelSource> sources;
  for (size_t k = 0; k < number.size(); ++k) {
    if (number[k] < 0) continue;
    number[k] = static_cast<int>(kept.size());
    kept.push_back(program.plan.kernels[k]);
    sources.push_back(std::move(program.kernels[k]));
  }
  for (PlanLaunch& launch : program.plan.launches)
    if (launch.kernel >= 0) launch.kernel = number[static_cast<size_t>(launch.kernel)];
  program.plan.kernels = std::move(kept);
  program.kernels = std::move(sources);
}

}  // namespace

void group_tensors(LoweredProgram& program) {
  codegen::Plan& plan = program.plan;
  codegen::group_launches(plan, codegen::Neighbours::of_any_size);
  std::vector<PlanLaunch> launches;
  std::map<std::string, int> number;  // of kernels made here
  for (size_t begin = 0, end; begin < plan.launches.size(); begin = end) {
    const PlanLaunch& first = plan.launches[begin];
    const bool is_counted = !numbers_of(first).empty();
    const size_t taken = first.values.size() + (is_counted ? numbers_of(first).size() + 1 : 0);
    const size_t most = most_parameter_bytes / (8 * std::max<size_t>(taken, 1));
    // A text without a guard may serve several extents: then it has more blocks for one than for another.
    auto fits = [&](const PlanLaunch& one) { return one.joins && (is_counted || one.tasks == first.tasks); };
    for (end = begin + 1; end < plan.launches.size() && fits(plan.launches[end]) && end - begin < most;) ++end;
    if (end == begin + 1) {
      launches.push_back(std::move(plan.launches[begin]));
      launches.back().joins = false;
      continue;
    }
    PlanLaunch made = join(plan.launches, begin, end);
    const auto kernel = static_cast<size_t>(made.kernel);
    KernelSource source = group_text(program.kernels[kernel], end - begin, is_counted ? different : first.tasks);
    auto [found, fresh] = number.try_emplace(source.key, static_cast<int>(program.kernels.size()));
    made.kernel = found->second;
    if (fresh) {
      const codegen::PlanKernel of_one = plan.kernels[kernel];
      plan.kernels.push_back({source.key, source.name, of_one.name, of_one.kind});
      program.kernels.push_back(std::move(source));
    }
    launches.push_back(std::move(made));
  }
  plan.launches = std::move(launches);
  drop_unused_kernels(program);
}

std::span<const int64_t> numbers_of(const PlanLaunch& launch) {
  return std::span(launch.parameters).subspan(std::min<size_t>(launch.parameters.size(), 1));
}

size_t tensors_of(const PlanLaunch& launch) {
  return launch.parameters.empty() ? 1 : static_cast<size_t>(launch.parameters.front());
}

}  // namespace tessera::cuda
