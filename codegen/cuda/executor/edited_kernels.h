#pragma once
// TESSERA_KERNELS=dir: texts of kernels that somebody edited. A file of TESSERA_DUMP in that folder, under its name there
// (07-softmax_ab12cd34.cu) or without the number, takes the place of the kernel of that name. A whole folder of a dump will
// do: files that differ from what is printed in comments alone are passed over.

#include <tessera/codegen/cuda/executor/compile_program.h>

namespace tessera::cuda {

// Compiles what was edited and notes it in the plan's remarks. A CompileError shows NVRTC's message with the file's line.
void put_back_edited(CompiledProgram& program, const std::string& architecture);

}  // namespace tessera::cuda
