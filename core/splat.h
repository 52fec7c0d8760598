#pragma once
// Is a node one number, everywhere?

#include <optional>
#include <vector>

#include <tessera/core/node.h>

namespace tessera {

// The number, if the node is a constant or a rearrangement of one.
std::optional<double> splat(const Node&);
// Such a node that no handle sees, as of a number in an expression: nobody can ask for a gradient with respect to it.
bool is_hidden_number(const Node&);
// What the node rearranges, and that again: the constant, if it is a splat.
const Node& rearranged(const Node&);
// Adds the node, what it rearranges, and that again.
void append_rearranged(const Node&, std::vector<const Node*>& to);

}  // namespace tessera
