#pragma once
// From a recorded program to a plan and the CUDA C++ texts that it launches. No GPU and no NVRTC is needed for this.

#include <string>
#include <vector>

#include <tessera/codegen/plan/plan.h>
#include <tessera/core/program.h>

namespace tessera::cuda {

struct KernelSource {
  std::string key;   // of what the compiler sees: the text without its comments
  std::string name;  // of the function in it
  std::string text;
};

struct LoweredProgram {
  // Launches of kernels have their blocks in `tasks`. Arguments are `values` in order, then the error words if there are
  // some; −1 is a null pointer. `parameters` are how many tensors a launch is for (group_tensors.h), then the numbers that
  // its kernel takes behind the values.
  codegen::Plan plan;
  std::vector<KernelSource> kernels;  // in the order of plan.kernels
};

// What the compiler sees of a text.
std::string without_comments(const std::string& text);

// Throws DeviceError with the user's line for what has no CUDA kernel yet.
LoweredProgram lower_program(const Program& program);

}  // namespace tessera::cuda
