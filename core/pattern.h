#pragma once
// What raising asks of a graph: how a value was stretched, what is constant along a dim, which values are the same.

#include <vector>

#include <tessera/core/node.h>

namespace tessera {

// Recorded as this op, and open to look inside: not computed, no backward of the user's own.
bool is(const NodePtr&, Op);

// x for x cast to a type that holds all of its values and back. Nodes passed are added to `inside`.
NodePtr without_round_trips(NodePtr, std::vector<const Node*>& inside);

// A value seen through broadcasts, dims of extent 1 that come and go, and optionally factors:
//   value[i] = factor · source[j],   where dim from[d] of j is dim d of i; −1: constant along d.
struct Stretched {
  NodePtr source;
  std::vector<int> from;
  double factor = 1;
  std::vector<const Node*> inside;  // nodes passed on the way
};
enum class Through { Layout, Factors };  // Layout always; Factors: · and / by a number
Stretched see_through(const NodePtr&, Through = Through::Layout);

// `value` stretches what is left of `shape` after `reduced` went: constant along those dims, aligned along the others.
bool stretches_back(const Stretched& value, const Shape& shape, const Dims& reduced);

// For each dim of the result of a broadcast, a transpose, or a reshape that adds and removes dims of extent 1: the
// operand's dim, or −1. Empty for other ops.
std::vector<int> operand_dims(const Node&);

bool constant_along(const Node&, int dim);
// One node, or one small expression recorded twice: then the nodes of both records are added to `inside`.
bool same_value(const NodePtr&, const NodePtr&, std::vector<const Node*>& inside);

}  // namespace tessera
