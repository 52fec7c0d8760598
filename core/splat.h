#pragma once
// Is a node one number, everywhere?

#include <optional>

#include <tessera/core/node.h>

namespace tessera {

// The number, if the node is a constant or a rearrangement of one.
std::optional<double> splat(const Node&);

}  // namespace tessera
