// The executor "cuda": Program → tsr → fuse → Plan and CUDA C++, compiled by NVRTC, launched through the driver.

#include <map>

#include <tessera/codegen/cuda/executor/run_program.h>
#include <tessera/codegen/executor/check_reference.h>
#include <tessera/codegen/executor/dump.h>
#include <tessera/codegen/plan/explain.h>
#include <tessera/codegen/plan/in_memory.h>
#include <tessera/codegen/plan/remark_lines.h>
#include <tessera/core/executor.h>
#include <tessera/core/log.h>

namespace tessera::cuda {
namespace {

class CudaExecutable : public Executable {
 public:
  explicit CudaExecutable(CompiledProgram program) : runner_(std::move(program)) {}

  std::vector<BufferPtr> run(const Program& recorded, std::vector<BufferPtr>& arguments) override {
    if (!is_checked_) return runner_.run(recorded, arguments);
    auto expected = codegen::run_reference_beside(recorded, arguments);
    auto results = runner_.run(recorded, arguments);
    codegen::compare_with_reference(recorded, results, expected);
    return results;
  }

  std::optional<std::vector<NumberedBuffer>> repeat(const Program& recorded,
                                                    std::span<const NumberedBuffer> given) override {
    if (is_checked_) return std::nullopt;
    return runner_.repeat(recorded, given);
  }

  std::string text(const Program& recorded, std::string_view stage) const override {
    const codegen::Plan& plan = runner_.lowered().plan;
    if (stage == "plan") return plan.str();
    if (stage == "kernels") return codegen::kernel_table(plan, recorded);
    if (stage == "explain") return codegen::explain(plan, recorded);
    if (stage == "plan.json") return plan.to_json();
    if (stage == "remarks.jsonl") return codegen::remark_lines(plan, recorded);
    if (stage != "cuda") return "";
    // Printed anew, since a text from the disk may name the lines of an equal program, but for what was edited or has
    // another schedule than the first.
    std::map<std::string, std::string> printed;
    for (KernelSource& kernel : lower_program(recorded, {use_device().architecture}).kernels)
      printed[kernel.key] = std::move(kernel.text);
    std::string all;
    for (const KernelSource& kernel : runner_.lowered().kernels) {
      const auto found = printed.find(kernel.key);
      all += (found == printed.end() ? kernel.text : found->second) + "\n";
    }
    return all;
  }

  std::optional<InMemory> in_memory(const Program& recorded, int instruction) const override {
    return codegen::find_in_memory(runner_.lowered().plan, recorded, instruction);
  }

 private:
  ProgramRunner runner_;
  const bool is_checked_ = codegen::checks_against_reference();
};

class CudaExecutor : public Executor {
 public:
  std::string_view name() const override { return "cuda"; }

  void open() override { use_device(); }

  std::shared_ptr<Executable> compile(const Program& program) override {
    const Device& device = use_device();  // where there is none, that is the one thing to say
    CompiledProgram made = compile_program(program, {device.architecture});
    const codegen::Plan& plan = made.lowered.plan;
    log_line("cache",
             program.name + (made.is_from_disk ? " from the disk" : " compiled") + " for " + device.architecture);
    codegen::Dump dump(program.name);
    for (const KernelSource& kernel : made.lowered.kernels)
      dump.write(kernel.name + ".cu", [&] { return kernel.text; });
    dump.write("plan.txt", [&] { return plan.str(); });
    dump.write("kernels.txt", [&] { return codegen::kernel_table(plan, program); });
    dump.write("explain.txt", [&] { return codegen::explain(plan, program); });
    dump.write("plan.json", [&] { return plan.to_json(); });
    dump.write("remarks.jsonl", [&] { return codegen::remark_lines(plan, program); });
    if (log_enabled("fusion")) log_line("fusion", codegen::explain(plan, program));
    if (log_enabled("memory")) log_line("memory", plan.str());
    return std::make_shared<CudaExecutable>(std::move(made));
  }
};

[[maybe_unused]] const bool registered = [] {
  register_executor(std::make_unique<CudaExecutor>(), /*preferred=*/false);
  return true;
}();

}  // namespace
}  // namespace tessera::cuda
