#pragma once
// The reference executor (D3): plain loops, one op after the other, every scalar in f64 (integers in i64) and rounded
// to the node's dtype when it is stored. Slow on purpose; shares no code with the compiler.

#include <memory>
#include <vector>

#include <tessera/core/executor.h>

namespace tessera {

std::unique_ptr<Executor> make_reference_executor();

// One instruction on host buffers. Public so that tests can call it on a single op.
BufferPtr run_reference(const Instruction&, const std::vector<const Instruction*>& operand_types,
                        const std::vector<BufferPtr>& operands);

}  // namespace tessera
