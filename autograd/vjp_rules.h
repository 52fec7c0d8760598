#pragma once
// The derivatives: a table Op → rule, written with public ops, so that a backward is an ordinary graph. Rules that are
// no one-liners live beside the table, one file per kind of op: vjp_rules_{elementwise,structure,index,reduce,scan,
// contract}.cpp.

#include <unordered_map>
#include <variant>
#include <vector>

#include <tessera/core/ops.h>

namespace tessera {

// The ones of a walk: the cotangent of its loss, and what rules stretched that to. A factor of them may vanish. A one that
// somebody else made may not: one can ask for the gradient with respect to it.
class Ones {
 public:
  Tensor make(const Shape&, DType, Loc at = Loc::here());
  bool contains(const Tensor&) const;  // one of them, perhaps rearranged

 private:
  std::unordered_map<const Node*, NodePtr> made_;  // held, so that no address comes twice
};

// One node on the way back. Attributes and operands are those of its normal form (raise.h).
struct Vjp {
  const Attrs& attrs;
  const std::vector<NodePtr>& operands;
  Tensor y;  // the node's value
  Tensor g;  // ∂loss/∂y, of y's shape
  Ones& ones;

  const Shape& shape(int i) const { return operands[static_cast<size_t>(i)]->shape; }
  DType dtype(int i) const { return operands[static_cast<size_t>(i)]->dtype; }
  Tensor x(int i) const { return Tensor(operands[static_cast<size_t>(i)]); }
  std::vector<Tensor> from(int i) const;  // operands i, i + 1, …
  template <class A> const A& as() const { return std::get<A>(attrs); }

  // a · f without the multiplication where a is a one of the walk, as g is below a sum.
  Tensor times(const Tensor& a, const Tensor& f) const { return ones.contains(a) ? f : a * f; }
  // g / count in g's dtype. counts(): what to count in, since f16 ends at 65504 and bf16 counts to 256.
  Tensor shared(const Tensor& count) const { return cast(g / count, g.dtype()); }
  DType counts() const { return promote(g.dtype(), DType::f32); }
  // t with its reduced dims put back: constant along them.
  Tensor expand(const Tensor& t, const Dims& reduced, const Shape&) const;
};

// ∂loss/∂operand i. An empty Tensor: nothing flows (a condition, an index, an operand of no elements).
using Rule = Tensor (*)(const Vjp&, int i);
Rule vjp_rule(Op);  // null where op_table.h says Zero or None

namespace pullback {

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
