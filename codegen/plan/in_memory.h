#pragma once
// Whether the value of an instruction lies in memory, and why: what expect_fused() asks.

#include <optional>

#include <tessera/codegen/plan/plan.h>
#include <tessera/core/executor.h>

namespace tessera::codegen {

// Nothing if no launch writes the value whole. A view lies in memory if what it looks at does. A value that the passes
// replaced by an equal one cannot be followed; that counts as lying in memory.
std::optional<InMemory> find_in_memory(const Plan& plan, const Program& recorded, int instruction);

}  // namespace tessera::codegen
