#include <algorithm>

#include <tessera/core/promotion.h>

namespace tessera {
namespace {

Tensor contracted(const Call& call, const NodePtr& a, const NodePtr& b, std::string_view einsum,
                  std::vector<WindowRelation> windows, const std::vector<LetterExtent>& extents) {
  rules::Contraction c = rules::contract(call, *a, *b, einsum, std::move(windows), extents);
  return Tensor(record(Op::Contract, std::move(c.attrs),
                       {cast_node(a, c.dtype, call.at), cast_node(b, c.dtype, call.at)}, c.dtype, std::move(c.shape),
                       call.at));
}

// One side of a matmul whose leading dims are written as letters. A leading extent of 1 that stretches has no letter:
// the dim is taken out of the operand.
struct Side {
  NodePtr node;
  std::string letters;
};

// Letters of leading dims, the last first: both sides and the result align at the right.
constexpr std::string_view leading_letters = "zyxwvutsrqpojihgfedcbaZYXWVUTSRQPONMLKJIHGFEDCBA";

Side side(NodePtr x, std::string_view matrix, const Shape& leading, Loc at) {
  Side out;
  Dims kept;
  const int own = x->shape.rank() - static_cast<int>(matrix.size());
  for (int d = 0; d < own; ++d) {
    const int from_right = own - 1 - d;
    const int64_t extent = x->shape[d];
    if (extent != leading[-1 - from_right]) continue;
    kept.push_back(extent);
    out.letters += leading_letters[static_cast<size_t>(from_right)];
  }
  kept.insert(kept.end(), x->shape.begin() + own, x->shape.end());
  out.letters += matrix;
  out.node = reshape_node(std::move(x), std::move(kept), at);
  return out;
}

}  // namespace

Tensor contract(Operand a, Operand b, std::string_view einsum, std::vector<WindowRelation> windows,
                const std::vector<LetterExtent>& extents) {
  const rules::Argument arguments[] = {{"lhs", a}, {"rhs", b}};
  const Call call{"contract", place(arguments)};
  return contracted(call, resolve(call, a), resolve(call, b), einsum, std::move(windows), extents);
}

Tensor einsum(std::string_view spec, Operand a, Operand b) {
  const rules::Argument arguments[] = {{"lhs", a}, {"rhs", b}};
  const Call call{"einsum", place(arguments)};
  return contracted(call, resolve(call, a), resolve(call, b), spec, {}, {});
}

Tensor matmul(Operand a, Operand b) {
  const rules::Argument arguments[] = {{"lhs", a}, {"rhs", b}};
  const Call call{"matmul", place(arguments)};
  NodePtr lhs = resolve(call, a), rhs = resolve(call, b);
  const Shape leading = rules::matmul(call, *lhs, *rhs);
  const bool row = lhs->shape.rank() == 1, column = rhs->shape.rank() == 1;  // a vector's missing dim stays missing
  const Side l = side(lhs, row ? "k" : "mk", leading, call.at), r = side(rhs, column ? "k" : "kn", leading, call.at);

  std::string result(leading_letters.substr(0, static_cast<size_t>(leading.rank())));
  std::reverse(result.begin(), result.end());
  if (!row) result += 'm';
  if (!column) result += 'n';
  return contracted(call, l.node, r.node, l.letters + "," + r.letters + "->" + result, {}, {});
}

}  // namespace tessera
