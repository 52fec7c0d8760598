#pragma once
// What expect_fused() asks of a compiled program.

#include <tessera/core/executor.h>

namespace tessera {

// CompileError for the first value that was expected to stay inside a kernel and lies in memory.
void check_expected_fused(const Program& recorded, const Executable& compiled);

}  // namespace tessera
