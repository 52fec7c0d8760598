// The executor "jit": Program → tsr → fuse → Plan and machine code. Linking the library registers it as preferred.

#include <cstdlib>
#include <mutex>
#include <optional>

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <tessera/codegen/cpu/object_cache.h>
#include <tessera/codegen/executor/check_reference.h>
#include <tessera/codegen/executor/compile_fuse.h>
#include <tessera/codegen/executor/dump.h>
#include <tessera/codegen/executor/program_key.h>
#include <tessera/codegen/plan/explain.h>
#include <tessera/codegen/plan/in_memory.h>
#include <tessera/codegen/plan/remark_lines.h>
#include <tessera/codegen/plan/stored_plan.h>
#include <tessera/core/error.h>
#include <tessera/core/executor.h>
#include <tessera/core/log.h>
#include <tessera/ir/compile_ir.h>

namespace tessera::codegen {
namespace {

// One MLIR context serves many compilations; it keeps what it has seen for good, so now and then a fresh one.
class Compiler {
 public:
  template <class F> auto use(F f) {
    std::lock_guard lock(mutex_);
    if (!context_ || ++uses_ > 200) {
      context_ = std::make_unique<mlir::MLIRContext>(mlir::MLIRContext::Threading::DISABLED);
      load_fuse_dialects(*context_);
      ir::load_dialects(*context_);
      uses_ = 0;
    }
    return f(*context_);
  }

 private:
  std::mutex mutex_;
  std::unique_ptr<mlir::MLIRContext> context_;
  int uses_ = 0;
};
Compiler& compiler() {
  static Compiler* kept = new Compiler;
  return *kept;
}

std::string text_of(mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream(text) << module;
  return text;
}

std::unique_ptr<PlanRunner> compile_program(const Program& program, std::vector<KernelTexts>* texts) {
  return compiler().use([&](mlir::MLIRContext& context) {
    Dump dump(program.name);
    auto module = ir::import_program(context, program);
    dump.write("tsr.mlir", [&] { return text_of(*module); });
    std::function<void(const std::string&, mlir::ModuleOp)> on_pass;
    if (dump.on()) {
      on_pass = [&](const std::string& pass, mlir::ModuleOp now) {
        dump.write(pass + ".mlir", [&] { return text_of(now); });
      };
    }
    std::vector<ir::Remark> remarks = ir::lower_to_fuse(*module, on_pass);
    std::vector<KernelTexts> dumped;
    auto runner = compile_fuse(*module,
                               texts       ? texts
                               : dump.on() ? &dumped
                                           : nullptr,
                               program.name, std::move(remarks));
    for (const KernelTexts& kernel : dumped) {
      dump.write(kernel.symbol + ".mlir", [&] { return kernel.emitted; });
      dump.write(kernel.symbol + ".ll", [&] { return kernel.llvm; });
    }
    dump.write("plan.txt", [&] { return runner->plan().str(); });
    dump.write("kernels.txt", [&] { return kernel_table(runner->plan(), program); });
    dump.write("explain.txt", [&] { return explain(runner->plan(), program); });
    dump.write("plan.json", [&] { return runner->plan().to_json(); });
    dump.write("remarks.jsonl", [&] { return remark_lines(runner->plan(), program); });
    return runner;
  });
}

// A plan and all its kernels from the disk: no MLIR, no LLVM code generation.
std::unique_ptr<PlanRunner> warm_start(const std::string& key) {
  auto stored = read_cached(key, "plan");
  if (!stored) return nullptr;
  Plan plan = read_stored_plan(*stored);
  std::vector<KernelFunction> functions;
  for (const PlanKernel& kernel : plan.kernels) {
    functions.push_back(find_kernel(kernel.key, kernel.symbol));
    if (!functions.back()) return nullptr;
  }
  return std::make_unique<PlanRunner>(std::move(plan), std::move(functions));
}

class JitExecutable : public Executable {
 public:
  explicit JitExecutable(std::unique_ptr<PlanRunner> runner) : runner_(std::move(runner)) {}

  std::vector<BufferPtr> run(const Program& recorded, std::vector<BufferPtr>& arguments) override {
    if (!checks_against_reference()) return runner_->run(recorded, arguments);
    auto expected = run_reference_beside(recorded, arguments);
    auto results = runner_->run(recorded, arguments);
    compare_with_reference(recorded, results, expected);
    return results;
  }

  std::string text(const Program& recorded, std::string_view stage) const override {
    if (stage == "plan") return runner_->plan().str();
    if (stage == "kernels") return kernel_table(runner_->plan(), recorded);
    if (stage == "explain") return explain(runner_->plan(), recorded);
    if (stage == "plan.json") return runner_->plan().to_json();
    if (stage == "remarks.jsonl") return remark_lines(runner_->plan(), recorded);
    if (stage == "llvm") {
      std::vector<KernelTexts> texts;
      compile_program(recorded, &texts);
      std::string all;
      for (const KernelTexts& kernel : texts) all += kernel.llvm + "\n";
      return all;
    }
    if (stage != "tsr" && stage != "fuse") return "";
    return compiler().use([&](mlir::MLIRContext& context) {
      auto module = ir::import_program(context, recorded);
      if (stage == "fuse") ir::lower_to_fuse(*module);
      return text_of(*module);
    });
  }

  std::optional<InMemory> in_memory(const Program& recorded, int instruction) const override {
    return find_in_memory(runner_->plan(), recorded, instruction);
  }

 private:
  std::unique_ptr<PlanRunner> runner_;
};

class JitExecutor : public Executor {
 public:
  std::string_view name() const override { return "jit"; }

  std::shared_ptr<Executable> compile(const Program& program) override {
    std::string key = program_key(program);
    std::unique_ptr<PlanRunner> runner = Dump::wanted() ? nullptr : warm_start(key);
    if (runner) {
      log_line("cache", program.name + " from the disk: " + key.substr(0, 16));
    } else {
      runner = compile_program(program, nullptr);
      write_cached(key, "plan", stored_plan(runner->plan()));
      log_line("cache", program.name + " compiled: " + key.substr(0, 16));
    }
    if (log_enabled("fusion")) log_line("fusion", explain(runner->plan(), program));
    if (log_enabled("memory")) log_line("memory", runner->plan().str());
    return std::make_shared<JitExecutable>(std::move(runner));
  }
};

[[maybe_unused]] const bool registered = [] {
  register_executor(std::make_unique<JitExecutor>(), /*preferred=*/true);
  return true;
}();

}  // namespace
}  // namespace tessera::codegen
