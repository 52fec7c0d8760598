#include <tessera/codegen/cuda/executor/compile_program.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <numeric>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tessera/codegen/cpu/key.h>
#include <tessera/codegen/cpu/object_cache.h>
#include <tessera/codegen/cuda/executor/edited_kernels.h>
#include <tessera/codegen/executor/dump.h>
#include <tessera/codegen/executor/program_key.h>
#include <tessera/core/error.h>
#include <tessera/core/on_threads.h>

namespace tessera::cuda {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(KernelSource, key, name, text, has_steps)

namespace {

using nlohmann::json;

// Of files beside a cubin: what ptxas said of its registers; that its text was changed so that they are enough.
constexpr const char *spills_kind = "spills", *changed_kind = "changed";
constexpr const char* kind = "cuda";  // of the file: a plan, its texts, and the compiler that made the cubins

std::string cubin_key(const KernelSource& source, const std::string& architecture, const std::string& compiler) {
  return codegen::blake3_hex("cubin\n" + codegen::library_build_id() + architecture + "\n" + compiler + "\n" +
                             source.key);
}

// Everything or nothing.
std::optional<CompiledProgram> from_disk(const std::string& key, const std::string& architecture) {
  const auto stored = codegen::read_cached(key, kind);
  if (!stored) return std::nullopt;
  CompiledProgram made;
  std::string compiler;
  try {
    const json all = json::parse(*stored);
    made.lowered.plan = codegen::Plan::from_json(all.at("plan").get<std::string>());
    all.at("kernels").get_to(made.lowered.kernels);
    all.at("compiler").get_to(compiler);
  } catch (const json::exception& failure) {
    throw InternalError(std::string("a stored program does not read back: ") + failure.what());
  }
  for (const KernelSource& source : made.lowered.kernels) {
    auto image = codegen::read_cached(cubin_key(source, architecture, compiler), "cubin");
    if (!image) return std::nullopt;
    made.cubins.emplace_back().image = std::move(*image);
  }
  made.is_from_disk = true;
  return made;
}

// A text that computes the same with fewer registers, or with more of them; none where there is no such.
std::optional<std::string> text_for_registers(const KernelSource& source) {
  const std::string& text = source.text;
  std::string made = text;
  if (source.has_steps) {
    const size_t header = text.find("#include ");
    return made.insert(header == std::string::npos ? 0 : header, "#define TESSERA_ADDRESSES_ANEW\n");
  }
  constexpr std::string_view bounds = "__launch_bounds__(", one_block = ", 1";
  const size_t at = text.find(bounds), end = text.find(')', at);
  if (end == std::string::npos) return std::nullopt;
  const size_t threads_end = std::min(text.find(',', at), end);
  if (std::string_view(text).substr(threads_end, end - threads_end) == one_block) return std::nullopt;
  return made.replace(threads_end, end - threads_end, one_block);
}

// As compile_to_registers has changed a text of the same key before.
void change_for_registers(KernelSource& source) {
  source.text = text_for_registers(source).value();
  source.is_changed = true;
}

// One kernel, by the first of its schedules that ptxas takes.
struct CompiledKernel {
  Cubin cubin;
  std::vector<std::string> dropped, remarks;  // schedules, and what is said of each
  // As NextSchedule has them, of the first schedule and of the one that was taken; 0 if these are the same.
  int64_t blocks_before = 0, blocks = 0;
  bool is_settled = true;
};

CompiledKernel compile_one(KernelSource& source, ProgramLowering& lowering, const std::string& architecture) {
  CompiledKernel made;
  const std::string first = source.key;
  while (true) {
    made.cubin = compile_source(source, source.name + ".cu", architecture);
    const std::vector<std::string>& refused = made.cubin.facts.refused;
    if (refused.empty() || source.schedule.empty()) return made;
    made.dropped.push_back(source.schedule);
    made.remarks.push_back(fmt::format("{}; dropped: {}", source.schedule, refused.front()));
    std::optional<NextSchedule> next = lowering.next_schedule(first);
    made.is_settled = next.has_value();
    if (!next) return made;
    source = std::move(next->source), made.blocks_before = next->blocks_before, made.blocks = next->blocks;
  }
}

// The plan launches what took the first schedule's place.
void note_source(LoweredProgram& program, size_t kernel, const CompiledKernel& taken) {
  const KernelSource& source = program.kernels[kernel];
  program.plan.kernels[kernel].key = source.key, program.plan.kernels[kernel].symbol = source.name;
  for (codegen::PlanLaunch& launch : program.plan.launches)
    if (launch.kernel == static_cast<int>(kernel)) launch.tasks = launch.tasks * taken.blocks / taken.blocks_before;
}

}  // namespace

Cubin compile_to_registers(KernelSource& source, const std::string& file_name, const std::string& architecture) {
  auto compile = [&](const std::string& text) {
    const OnRefusal on_refusal = source.schedule.empty() ? OnRefusal::report_spills : OnRefusal::report;
    return compile_kernel(file_name, text, architecture, on_refusal, TextOf::rows);
  };
  Cubin made = compile(source.text);
  if (made.facts.refused.empty()) return made;
  std::optional<std::string> roomy = text_for_registers(source);
  if (!roomy) return made;
  Cubin other = compile(*roomy);
  if (!other.facts.refused.empty()) return made;
  source.text = std::move(*roomy), source.is_changed = true;
  return other;
}

Cubin compile_source(KernelSource& source, const std::string& file_name, const std::string& architecture) {
  const std::string key = cubin_key(source, architecture, compiler_version());
  if (auto stored = codegen::read_cached(key, "cubin")) {
    Cubin cubin;
    cubin.image = std::move(*stored);
    if (auto spills = codegen::read_cached(key, spills_kind)) cubin.facts.refused.push_back(std::move(*spills));
    if (codegen::read_cached(key, changed_kind)) change_for_registers(source);
    return cubin;
  }
  Cubin made = compile_to_registers(source, file_name, architecture);
  if (!made.facts.only_spills) return made;
  if (!made.facts.refused.empty()) codegen::write_cached(key, spills_kind, made.facts.refused.front());
  if (source.is_changed) codegen::write_cached(key, changed_kind, "");
  codegen::write_cached(key, "cubin", made.image);
  return made;
}

void add_remark(LoweredProgram& program, size_t kernel, const char* name, std::string text) {
  ir::Remark note;
  note.category = "kernel", note.name = name, note.text = std::move(text);
  for (const codegen::PlanLaunch& launch : program.plan.launches)
    if (launch.kernel == static_cast<int>(kernel))
      note.ops.insert(note.ops.end(), launch.ops.begin(), launch.ops.end());
  program.plan.remarks.push_back(std::move(note));
}

CompiledProgram compile_afresh(const Program& program, Target target) {
  CompiledProgram made;
  std::vector<std::string> remarks;
  struct Ready {
    Cubin cubin;
    bool is_changed;
  };
  std::map<std::string, Ready> ready;  // by the key of the text: most are the same when one is dropped
  for (bool is_settled = false; !is_settled;) {
    const auto start = std::chrono::steady_clock::now();
    ProgramLowering lowering(program, target);
    made.lowered = lowering.take();
    made.seconds_of_lowering += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    ++made.lowerings;
    std::vector<KernelSource>& sources = made.lowered.kernels;
    made.cubins.assign(sources.size(), {});
    std::vector<CompiledKernel> compiled(sources.size());
    // Long texts first: the longest takes a thread as long as the rest take all others, so it must not be the last to begin.
    std::vector<size_t> order(sources.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::stable_sort(order, std::greater(), [&](size_t k) { return sources[k].text.size(); });
    on_threads(sources.size(), [&](size_t place) {
      const size_t k = order[place];
      auto found = ready.find(sources[k].key);
      if (found == ready.end()) {
        compiled[k] = compile_one(sources[k], lowering, target.architecture);
        return;
      }
      compiled[k].cubin = found->second.cubin;
      if (found->second.is_changed) change_for_registers(sources[k]);
    });
    is_settled = true;
    for (size_t k = 0; k < sources.size(); ++k) {
      CompiledKernel& one = compiled[k];
      is_settled &= one.is_settled;
      target.dropped.insert(one.dropped.begin(), one.dropped.end());
      remarks.insert(remarks.end(), one.remarks.begin(), one.remarks.end());
      if (one.blocks > 0) note_source(made.lowered, k, one);
      if (one.cubin.facts.refused.empty()) ready.insert({sources[k].key, {one.cubin, sources[k].is_changed}});
      made.cubins[k] = std::move(one.cubin);
    }
  }
  for (std::string& text : remarks) {
    ir::Remark note;
    note.category = "kernel", note.name = "dropped", note.text = std::move(text);
    made.lowered.plan.remarks.push_back(std::move(note));
  }
  for (size_t k = 0; k < made.cubins.size(); ++k)
    if (!made.cubins[k].facts.refused.empty())
      add_remark(
          made.lowered, k, "spill",
          made.lowered.kernels[k].name + " has more values than registers: " + made.cubins[k].facts.refused.front());
  return made;
}

CompiledProgram compile_program(const Program& program, const Target& target) {
  const std::string& architecture = target.architecture;
  const std::string key = codegen::program_key(program, fmt::format("cuda {} {}", architecture, target.tile_schedule));
  CompiledProgram made;
  if (auto found = codegen::Dump::wanted() ? std::nullopt : from_disk(key, architecture)) {
    made = std::move(*found);
  } else {
    made = compile_afresh(program, target);
    const json all = {{"plan", made.lowered.plan.to_json()},
                      {"kernels", made.lowered.kernels},
                      {"compiler", made.cubins.empty() ? "" : compiler_version()}};
    codegen::write_cached(key, kind, all.dump());
  }
  put_back_edited(made, architecture);
  return made;
}

}  // namespace tessera::cuda
