#pragma once
// From what a user wrote to nodes of one dtype and one shape. Nothing is implicit in the graph: a number becomes a
// Constant, a promotion a Cast, a stretched operand a Broadcast.

#include <tessera/core/shape_rules.h>

namespace tessera {

// The place of an op of several operands: the user's, when a function of ours supplied some of them.
Loc place(rules::Arguments);

// The node behind an operand; a number becomes a scalar of its own dtype.
NodePtr resolve(const Call&, const Operand&);
// The operand cast to `dtype` and stretched to `shape`, which the rules have agreed to.
NodePtr materialize(const Call&, const Operand&, DType, const Shape&);

// Each returns its operand when there is nothing to do.
NodePtr constant_node(const Call&, const Number&, DType, Shape);  // ValueError when the dtype cannot hold it
NodePtr cast_node(NodePtr, DType, Loc);
NodePtr broadcast_node(NodePtr, Shape, Dims dims, Loc);  // operand dim i becomes result dim dims[i]
NodePtr reshape_node(NodePtr, Shape, Loc);

}  // namespace tessera
