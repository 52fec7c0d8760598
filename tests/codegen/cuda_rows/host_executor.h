#pragma once
// An executor that runs CUDA texts on the processor.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <tessera/codegen/cuda/executor/lower_program.h>
#include <tessera/codegen/plan/explain.h>
#include <tessera/core/executor.h>

#include "tests/codegen/cuda_rows/host_run.h"

namespace tessera::testing {

class HostExecutor : public Executor {
 public:
  std::string_view name() const override { return "cuda-texts"; }
  std::shared_ptr<Executable> compile(const Program& program) override { return std::make_shared<Texts>(program); }

 private:
  class Texts : public Executable {
   public:
    explicit Texts(const Program& program) : lowered_(cuda::lower_program(program, {})) {}
    std::vector<BufferPtr> run(const Program& recorded, std::vector<BufferPtr>& arguments) override {
      return run_on_host(lowered_, recorded, arguments);
    }
    std::string text(const Program& recorded, std::string_view stage) const override {
      return stage == "kernels" ? codegen::kernel_table(lowered_.plan, recorded) : "";
    }

   private:
    cuda::LoweredProgram lowered_;
  };
};

}  // namespace tessera::testing
