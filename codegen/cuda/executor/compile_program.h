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
};

// From the disk, where neither MLIR nor NVRTC is asked, or lowered, compiled on several threads and kept there. Kernels
// that somebody edited (edited_kernels.h) take the place of those that were printed.
CompiledProgram compile_program(const Program& program, const Target& target);

// Says something of a kernel in the program's remarks, beside the ops that it computes.
void add_remark(LoweredProgram& program, size_t kernel, const char* name, std::string text);

// By NVRTC. Where ptxas keeps values in memory so that more blocks fit beside each other, the text comes to say that one
// is enough.
Cubin compile_to_registers(KernelSource& source, const std::string& file_name, const std::string& architecture);

// One text, from the disk or by NVRTC, whose messages call it `file_name`. A kernel that needs more registers than
// there are is slower and right: `facts.refused` then holds what ptxas said, and compile_program makes a remark of it.
Cubin compile_source(KernelSource& source, const std::string& file_name, const std::string& architecture);

}  // namespace tessera::cuda
