// The executor "cuda": Program → tsr → fuse → Plan and CUDA C++, compiled by NVRTC, launched through the driver.

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
  explicit CudaExecutable(LoweredProgram lowered) : runner_(std::move(lowered)) {}

  std::vector<BufferPtr> run(const Program& recorded, std::vector<BufferPtr>& arguments) override {
    if (!codegen::checks_against_reference()) return runner_.run(recorded, arguments);
    auto expected = codegen::run_reference_beside(recorded, arguments);
    auto results = runner_.run(recorded, arguments);
    codegen::compare_with_reference(recorded, results, expected);
    return results;
  }

  std::string text(const Program& recorded, std::string_view stage) const override {
    const codegen::Plan& plan = runner_.lowered().plan;
    if (stage == "plan") return plan.str();
    if (stage == "kernels") return codegen::kernel_table(plan, recorded);
    if (stage == "explain") return codegen::explain(plan, recorded);
    if (stage == "plan.json") return plan.to_json();
    if (stage == "remarks.jsonl") return codegen::remark_lines(plan, recorded);
    if (stage != "cuda") return "";
    std::string all;
    for (const KernelSource& kernel : runner_.lowered().kernels) all += kernel.text + "\n";
    return all;
  }

  std::optional<InMemory> in_memory(const Program& recorded, int instruction) const override {
    return codegen::find_in_memory(runner_.lowered().plan, recorded, instruction);
  }

 private:
  ProgramRunner runner_;
};

class CudaExecutor : public Executor {
 public:
  std::string_view name() const override { return "cuda"; }

  std::shared_ptr<Executable> compile(const Program& program) override {
    use_device();  // where there is none, that is the one thing to say
    LoweredProgram lowered = lower_program(program);
    codegen::Dump dump(program.name);
    for (const KernelSource& kernel : lowered.kernels) dump.write(kernel.name + ".cu", [&] { return kernel.text; });
    dump.write("plan.txt", [&] { return lowered.plan.str(); });
    if (log_enabled("fusion")) log_line("fusion", codegen::explain(lowered.plan, program));
    if (log_enabled("memory")) log_line("memory", lowered.plan.str());
    return std::make_shared<CudaExecutable>(std::move(lowered));
  }
};

[[maybe_unused]] const bool registered = [] {
  register_executor(std::make_unique<CudaExecutor>(), /*preferred=*/false);
  return true;
}();

}  // namespace
}  // namespace tessera::cuda
