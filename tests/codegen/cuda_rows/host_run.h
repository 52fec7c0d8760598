#pragma once
// Runs a lowered program on the processor: its texts compiled by the system's C++ compiler, each block's threads as
// fibers. Slow, and no proof about a card, but every index, guard and reduction of the text is executed.

#include <vector>

#include <tessera/codegen/cuda/executor/lower_program.h>
#include <tessera/core/buffer.h>

namespace tessera::testing {

std::vector<BufferPtr> run_on_host(const cuda::LoweredProgram& lowered, const Program& recorded,
                                   const std::vector<BufferPtr>& arguments);

}  // namespace tessera::testing
