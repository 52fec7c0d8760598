#pragma once
// Runs a Plan: no MLIR and no LLVM here, so that a warm start needs neither.

#include <memory>
#include <mutex>
#include <vector>

#include <tessera/codegen/cpu/jit.h>
#include <tessera/codegen/executor/launch_times.h>
#include <tessera/codegen/plan/plan.h>
#include <tessera/core/buffer.h>
#include <tessera/core/program.h>

namespace tessera::codegen {

class PlanRunner {
 public:
  PlanRunner(Plan plan, std::vector<KernelFunction> kernels);

  const Plan& plan() const { return plan_; }
  // As Executable::run. Calls from several threads wait for each other, since runs share the arena.
  std::vector<BufferPtr> run(const Program& recorded, std::vector<BufferPtr>& arguments);

 private:
  struct Frame;  // addresses of this run
  void launch(const PlanLaunch& launch, Frame& frame, const Program& recorded);
  void launch_together(size_t begin, size_t end, Frame& frame);  // joined launches of one kernel

  Plan plan_;
  std::vector<KernelFunction> kernels_;
  std::mutex one_at_a_time_;
  BufferPtr arena_, scratch_, constants_;
  int64_t scratch_per_thread_ = 0;
  LaunchTimes times_;
};

}  // namespace tessera::codegen
