#pragma once
// Runs a lowered program on the device: the plan's launches in the order of one stream, values where the plan puts them.
// So far arguments come from host memory and results go back to it in every run.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tessera/codegen/cuda/executor/lower_program.h>
#include <tessera/codegen/cuda/runtime/device.h>
#include <tessera/codegen/cuda/runtime/kernel.h>
#include <tessera/core/buffer.h>

namespace tessera::cuda {

// Cubins for the texts, from the disk cache or from NVRTC on several threads.
std::vector<Cubin> compile_sources(const std::vector<KernelSource>& sources, const std::string& architecture);

class ProgramRunner {
 public:
  explicit ProgramRunner(LoweredProgram lowered);  // compiles and loads; DeviceError without a device

  const LoweredProgram& lowered() const { return lowered_; }
  std::vector<BufferPtr> run(const Program& recorded, const std::vector<BufferPtr>& arguments);

  // The same in steps, for those who measure: values on the device, all launches, results back.
  void begin(const std::vector<BufferPtr>& arguments);
  void launch_all();
  std::vector<BufferPtr> end(const Program& recorded, const std::vector<BufferPtr>& arguments);

 private:
  void launch(const codegen::PlanLaunch& launch, Pointer errors);
  void check_indices(const Program& recorded) const;

  LoweredProgram lowered_;
  std::vector<Kernel> kernels_;
  std::optional<StreamBuffer> arena_, constants_;
  std::vector<StreamBuffer> owned_;   // of this run: arguments, results, error words
  std::vector<Pointer> address_;      // of every value of the plan
  std::vector<int64_t> error_start_;  // what no index outside leaves; one run of words per launch that checks
  std::optional<StreamBuffer> errors_;
};

}  // namespace tessera::cuda
