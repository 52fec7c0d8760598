#pragma once
// Device memory for values and temporaries, and what is said when it is used up.

#include <tessera/codegen/cuda/runtime/device.h>
#include <tessera/codegen/plan/plan.h>
#include <tessera/core/program.h>

namespace tessera::cuda {

// OutOfMemory names the five largest tensors on the device with their lines, and the call that ran out (core/user_call.h).
StreamBuffer take_memory(size_t bytes);

// Where the temporaries of all programs lie. They follow each other in one stream, so they share it; it grows to the
// largest, and then it lies elsewhere. OutOfMemory counts the temporaries of the program's fullest moment too.
Pointer shared_arena(size_t bytes, const codegen::Plan& plan, const Program& recorded);

}  // namespace tessera::cuda
