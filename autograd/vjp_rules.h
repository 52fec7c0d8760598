#pragma once
// The derivatives: a table Op → rule, written with public ops, so that a backward is an ordinary graph. Rules that are
// no one-liners live beside the table, one file per kind of op: vjp_rules_{elementwise,structure,index,reduce,scan,
// contract}.cpp.

#include <variant>
#include <vector>

#include <tessera/core/ops.h>

namespace tessera {

// One node on the way back. Attributes and operands are those of its normal form (raise.h).
struct Vjp {
  const Attrs& attrs;
  const std::vector<NodePtr>& operands;
  Tensor y;  // the node's value
  Tensor g;  // ∂loss/∂y, of y's shape

  const Shape& shape(int i) const { return operands[static_cast<size_t>(i)]->shape; }
  DType dtype(int i) const { return operands[static_cast<size_t>(i)]->dtype; }
  Tensor x(int i) const { return Tensor(operands[static_cast<size_t>(i)]); }
  std::vector<Tensor> from(int i) const;  // operands i, i + 1, …
  template <class A> const A& as() const { return std::get<A>(attrs); }
};

// ∂loss/∂operand i. An empty Tensor: nothing flows (a condition, an index, an operand of no elements).
using Rule = Tensor (*)(const Vjp&, int i);
Rule vjp_rule(Op);  // null where op_table.h says Zero or None

namespace pullback {

// g · f without the multiplication where g is 1 everywhere, as it is below a sum.
Tensor times(const Tensor& g, const Tensor& f);
// t with its reduced dims put back: constant along them.
Tensor expand(const Tensor& t, const Dims& reduced, const Shape&);
// Element i along dim is x[i + by]; `fill` where that lies outside.
Tensor shifted(const Tensor& x, int dim, int64_t by, double fill);

Tensor cast(const Vjp&, int);
Tensor div(const Vjp&, int);
Tensor pow(const Vjp&, int);
Tensor minimum(const Vjp&, int);  // of two; a tie gives each side half
Tensor maximum(const Vjp&, int);

Tensor broadcast(const Vjp&, int);
Tensor transpose(const Vjp&, int);
Tensor slice(const Vjp&, int);
Tensor pad(const Vjp&, int);
Tensor concat(const Vjp&, int);

Tensor gather(const Vjp&, int);
Tensor scatter(const Vjp&, int);
Tensor dynamic_slice(const Vjp&, int);
Tensor dynamic_update_slice(const Vjp&, int);

Tensor reduce(const Vjp&, int);
Tensor softmax(const Vjp&, int);
Tensor variance(const Vjp&, int);
Tensor scan(const Vjp&, int);
Tensor contract(const Vjp&, int);

}  // namespace pullback
}  // namespace tessera
