#pragma once
// Computing recorded values outside compile(): one program of everything that is asked for or still held.

#include <vector>

#include <tessera/core/node.h>

namespace tessera {

// Afterwards each of `wanted` has a value and no history. TraceError for a value of a running or finished recording.
void evaluate(const std::vector<NodePtr>& wanted, Loc at);

}  // namespace tessera
