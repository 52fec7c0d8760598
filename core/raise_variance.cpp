#include <algorithm>
#include <cmath>

#include <tessera/core/pattern.h>
#include <tessera/core/raise_forms.h>
#include <tessera/core/splat.h>

namespace tessera {
namespace {

// d² as d · d or pow(d, 2)
NodePtr square_root(const NodePtr& node) {
  if (is(node, Op::Mul) && same_value(node->inputs[0], node->inputs[1])) return node->inputs[0];
  if (is(node, Op::Pow) && splat(*node->inputs[1]) == 2) return node->inputs[0];
  return nullptr;
}

// Σ / N along `dims` of some value: that value.
struct Mean {
  NodePtr of;
  Dims dims;
};
std::optional<Mean> mean_of(const Stretched& value) {
  if (!is(value.source, Op::Reduce)) return std::nullopt;
  const auto& attrs = std::get<ReduceAttrs>(value.source->attrs);
  const NodePtr& x = value.source->inputs[0];
  const double count = static_cast<double>(x->shape.numel()) / static_cast<double>(value.source->shape.numel());
  if (attrs.kind != ReduceKind::sum || std::fabs(value.factor * count - 1) > 1e-6) return std::nullopt;
  return Mean{x, attrs.dims};
}

}  // namespace

std::optional<Found> match_variance(const NodePtr& root) {
  const Stretched outer = see_through(root, Through::Factors);
  const std::optional<Mean> variance = mean_of(outer);
  if (!variance || root->shape.numel() != outer.source->shape.numel()) return std::nullopt;
  const NodePtr deviation = square_root(variance->of);
  if (!deviation || !is(deviation, Op::Sub)) return std::nullopt;
  for (size_t i : {0, 1}) {
    const NodePtr &x = deviation->inputs[i], &mu = deviation->inputs[1 - i];
    const Stretched inner = see_through(mu, Through::Factors);
    const std::optional<Mean> mean = mean_of(inner);
    if (!mean || mean->dims != variance->dims || !same_value(mean->of, x)) continue;
    if (!stretches_back(inner, x->shape, mean->dims)) continue;
    Inside inside = outer.inside;
    append(inside, inner.inside);
    append(inside, {outer.source.get(), variance->of.get(), deviation.get(), inner.source.get()});
    for (const NodePtr& twin : variance->of->inputs) inside.push_back(twin.get());
    std::erase(inside, root.get());
    auto form = [root = root.get(), x, dims = variance->dims, reduced = outer.source->shape] {
      NormalForm v{Op::Variance, DimsAttrs{dims}, {x}};
      if (root->shape == reduced) return v;
      NodePtr kept = record(v.op, v.attrs, v.operands, root->dtype, reduced, root->at);
      return NormalForm{Op::Reshape, NoAttrs{}, {std::move(kept)}};
    };
    return Found{std::move(form), std::move(inside)};
  }
  return std::nullopt;
}

}  // namespace tessera
