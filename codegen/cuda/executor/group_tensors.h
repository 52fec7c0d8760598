#pragma once
// Small launches of one kernel as one: the optimizer's step for every bias and norm, the last sums of column reductions.
// Alone each of them takes longer to begin than to run.

#include <tessera/codegen/cuda/executor/lower_program.h>

namespace tessera::cuda {

// Before values are placed in the arena. The text of such a kernel takes each parameter for all tensors, in an array of
// pointers, and a block finds its tensor by its number. Its launch lists values by parameter, then by tensor.
void group_tensors(LoweredProgram& program);

// How many tensors a launch works on: its kernel has a parameter for so many values.
size_t tensors_of(const codegen::PlanLaunch& launch);

}  // namespace tessera::cuda
