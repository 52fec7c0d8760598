#pragma once
// TESSERA_CHECK=reference: every program also runs on the reference executor, and the first element of a result that
// is further off than rounding explains is an InternalError.

#include <vector>

#include <tessera/core/buffer.h>
#include <tessera/core/program.h>

namespace tessera::codegen {

bool checks_against_reference();
std::vector<BufferPtr> run_reference_beside(const Program& program, const std::vector<BufferPtr>& arguments);
void compare_with_reference(const Program& program, const std::vector<BufferPtr>& results,
                            const std::vector<BufferPtr>& expected);

}  // namespace tessera::codegen
