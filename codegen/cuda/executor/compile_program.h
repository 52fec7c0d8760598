#pragma once
// A program ready for the device: its plan, the texts of its kernels and their machine code.

#include <string>
#include <vector>

#include <tessera/codegen/cuda/executor/lower_program.h>
#include <tessera/codegen/cuda/runtime/compiler.h>
#include <tessera/core/program.h>

namespace tessera::cuda {

struct CompiledProgram {
  LoweredProgram lowered;
  std::vector<Cubin> cubins;  // in the order of lowered.kernels
  bool is_from_disk = false;
  int lowerings = 0;               // more than one: a schedule was dropped whose place only another plan could fill
  double seconds_of_lowering = 0;  // of all of them
};

// From the disk, where neither MLIR nor NVRTC is asked, or lowered, compiled on several threads and kept there. Kernels
// that somebody edited (edited_kernels.h) take the place of those that were printed.
CompiledProgram compile_program(const Program& program, const Target& target);

// Lowered, and compiled on several threads. What ptxas did not compile to its schedule has the next schedule instead, by the
// same thread at once, and a remark says so.
CompiledProgram compile_afresh(const Program& program, Target target);

// Says something of a kernel in the program's remarks, beside the ops that it computes.
void add_remark(LoweredProgram& program, size_t kernel, const char* name, std::string text);

// By NVRTC; `facts.refused` then holds what ptxas said, if another schedule can take this one's place or if it is spills
// alone, and CompileError is thrown of anything else. Where ptxas keeps values in memory, the text comes to say that one block
// beside no other is enough, or, for a contraction of any card, that addresses are computed anew in each step.
Cubin compile_to_registers(KernelSource& source, const std::string& file_name, const std::string& architecture);

// The same, from the disk if it is there, with messages that call it `file_name`. A kernel that needs more registers than
// there are is slower and right: where no other schedule is left, compile_afresh makes a remark of what ptxas said.
Cubin compile_source(KernelSource& source, const std::string& file_name, const std::string& architecture);

}  // namespace tessera::cuda
