#pragma once
// Raising: a normal form written out by hand is found before it is differentiated and before it is compiled, so that
// forward and backward come out canonical however it was spelled.
//
//   exp(x − c) / Σ exp(x − c)        softmax(x)      c: anything that is constant along the row, or nothing
//   f(exp(x − c)) / Σ exp(x − c)     f(softmax(x))   f: linear, as dropout or the product with the values of attention
//   exp(x − logsumexp(x))            softmax(x)
//   log Σ exp(x)                     logsumexp(x)
//   c + log Σ exp(x − c)             logsumexp(x)
//   Σ (x − μ)² / N,  μ = Σ x / N     variance(x)
//
// modulo commuted operands, a product with the reciprocal for a quotient, exp2 in place of exp (softmax), dims kept or
// not, and equal expressions written twice. The softmax does not depend on c, so that no gradient flows through it; a row
// without a finite x gets its 0 where the text would give NaN. x − logsumexp(x) stays that difference. A stop_gradient,
// barrier or cast inside the pattern keeps it as it is, but for casts to a wider type and back.

#include <optional>
#include <unordered_set>
#include <vector>

#include <tessera/core/node.h>

namespace tessera {

struct NormalForm {
  Op op;
  Attrs attrs;
  std::vector<NodePtr> operands;
};

// The normal form of the value of `node`, if it has one. Not raised when a node of `wrt` lies inside the pattern: the
// gradient with respect to it asks for the expression as it was written. Nor in a strict recording.
// When no handle can see inside the pattern the node itself is rewritten, so that the forward computation is the normal
// form too; else it stays for those who look at its parts.
std::optional<NormalForm> raise(const NodePtr& node, const std::unordered_set<const Node*>& wrt);

// The same for all that `outputs` depend on in the current recording, when nobody will ask for gradients any more:
// handles that see inside a pattern keep what they see.
void raise_all(const std::vector<NodePtr>& outputs);

}  // namespace tessera
