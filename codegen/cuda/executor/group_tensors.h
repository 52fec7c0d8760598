#pragma once
// Launches of one kernel as one: the optimizer's step for every parameter, the last sums of column reductions. Alone the
// small ones of them take longer to begin than to run.

#include <span>

#include <tessera/codegen/cuda/executor/lower_program.h>

namespace tessera::cuda {

// Before values are placed in the arena. The text of such a kernel takes each parameter for all tensors, in an array of
// pointers, and a block finds its tensor by its number. Its launch lists values by parameter, then by tensor, and numbers
// likewise. Kernels that take the number of their vectors serve tensors of several sizes in one launch.
void group_tensors(LoweredProgram& program);

// How many tensors a launch works on: its kernel has a parameter for so many values.
size_t tensors_of(const codegen::PlanLaunch& launch);
// What its kernel takes behind the values.
std::span<const int64_t> numbers_of(const codegen::PlanLaunch& launch);

}  // namespace tessera::cuda
