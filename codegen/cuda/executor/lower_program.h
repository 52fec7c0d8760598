#pragma once
// From a recorded program to a plan and the CUDA C++ texts that it launches. No GPU and no NVRTC is needed for this.

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <tessera/codegen/plan/plan.h>
#include <tessera/core/program.h>

namespace tessera::cuda {

struct KernelSource {
  std::string key;   // of what the compiler sees: the text without its comments
  std::string name;  // of the function in it
  std::string text;
  std::string schedule = {};  // of tiles, by which a target can name it; "": no other can take its place
  bool has_steps = false;     // it may compute addresses anew in each of them (thread_of_step in device/core.cuh)
  bool is_changed = false;    // the text, so that ptxas has registers enough (compile_to_registers)
};

struct LoweredProgram {
  // Launches of kernels have their blocks in `tasks`. Arguments are `values` in order, then the error words if there are
  // some; −1 is a null pointer. `parameters` are how many tensors a launch is for (group_tensors.h), then the numbers that
  // its kernel takes behind the values.
  codegen::Plan plan;
  std::vector<KernelSource> kernels;  // in the order of plan.kernels
  int texts = 0;                      // printed to find out which kernels are the same
};

// What the compiler sees of a text.
std::string without_comments(const std::string& text);

// What texts are made for. "": any card from sm_80 on, which is what tests without a card ask for.
struct Target {
  std::string architecture = {};  // "sm_90a"
  // Which of the schedules of a contraction that the copy engine serves (contract/tile_schedule.h) is taken. −1: the first,
  // if it is thought faster than the kernel of any card.
  int tile_schedule = -1;
  std::set<std::string> dropped = {};  // schedules (KernelSource) that ptxas made something else of

  bool has_wgmma() const { return architecture == "sm_90a"; }
  // A kernel can wait for the launch before it (device/early.cuh).
  bool has_early_launches() const { return architecture.starts_with("sm_") && std::stoi(architecture.substr(3)) >= 90; }
};

// In the place of a kernel's schedule that ptxas made something else of.
struct NextSchedule {
  KernelSource source;
  // Of the launch that it was made for, by the first schedule and by this one. Others of the same text, for another number
  // of batch points, go from one to the other in the same ratio.
  int64_t blocks_before = 0, blocks = 0;
};

// A program that is lowered, and can still print other schedules of its kernels.
class ProgramLowering {
 public:
  // Throws DeviceError with the user's line for what has no CUDA kernel yet.
  ProgramLowering(const Program& program, const Target& target);
  ~ProgramLowering();

  LoweredProgram take() { return std::move(program_); }

  // The schedule behind the last one that was given for the kernel whose first text has this key. None where there is no
  // other, or the plan would be another one: then the program is lowered anew without those that are dropped. From any
  // thread; each kernel's schedules come in their order, whatever the threads.
  std::optional<NextSchedule> next_schedule(const std::string& key);

 private:
  struct State;
  std::unique_ptr<State> state_;
  LoweredProgram program_;
};

// The same where no other schedule will be asked for.
LoweredProgram lower_program(const Program& program, const Target& target);

}  // namespace tessera::cuda
