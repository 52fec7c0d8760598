#include <algorithm>

#include <tessera/core/pattern.h>
#include <tessera/core/raise_forms.h>
#include <tessera/core/splat.h>

namespace tessera {
namespace {

// d² as d · d or pow(d, 2)
NodePtr square_root(const NodePtr& node, Inside& inside) {
  if (is(node, Op::Mul) && same_value(node->inputs[0], node->inputs[1], inside)) return node->inputs[0];
  if (!is(node, Op::Pow) || splat(*node->inputs[1]) != 2) return nullptr;
  append_rearranged(*node->inputs[1], inside);
  return node->inputs[0];
}

// Σ / N along `dims` of some value: that value.
struct Mean {
  NodePtr of;
  Dims dims;
  Stretched seen;  // its source is the sum
};

// The sum behind a value, and behind the cast of what mean() gives for a narrow float, which is summed in f32.
Stretched see_sum(const NodePtr& value) {
  Stretched out = see_through(value, Through::Factors);
  const NodePtr narrow = out.source;
  if (!is(narrow, Op::Cast) || (narrow->dtype != f16 && narrow->dtype != bf16) || narrow->inputs[0]->dtype != f32)
    return out;
  const Stretched wide = see_through(narrow->inputs[0], Through::Factors);
  for (int& d : out.from) d = d < 0 ? -1 : wide.from[static_cast<size_t>(d)];
  out.factor *= wide.factor;
  out.source = wide.source;
  append(out.inside, {narrow.get()});
  append(out.inside, wide.inside);
  return out;
}

std::optional<Mean> mean_of(const NodePtr& value) {
  Stretched seen = see_sum(value);
  if (!is(seen.source, Op::Reduce)) return std::nullopt;
  const auto& attrs = std::get<ReduceAttrs>(seen.source->attrs);
  NodePtr x = seen.source->inputs[0];
  const double count = static_cast<double>(x->shape.numel()) / static_cast<double>(seen.source->shape.numel());
  if (attrs.kind != ReduceKind::sum || !near(seen.factor * count, 1, value->dtype)) return std::nullopt;
  if (x->dtype != value->dtype) {
    if (!is(x, Op::Cast) || x->inputs[0]->dtype != value->dtype) return std::nullopt;
    append(seen.inside, {x.get()});
    x = x->inputs[0];
  }
  return Mean{x, attrs.dims, std::move(seen)};
}

}  // namespace

std::optional<Found> match_variance(const NodePtr& root) {
  const std::optional<Mean> variance = mean_of(root);
  if (!variance || root->shape.numel() != variance->seen.source->shape.numel()) return std::nullopt;
  Inside inside = variance->seen.inside;
  const NodePtr deviation = square_root(variance->of, inside);
  if (!deviation || !is(deviation, Op::Sub)) return std::nullopt;
  for (size_t i : {0, 1}) {
    const NodePtr &x = deviation->inputs[i], &mu = deviation->inputs[1 - i];
    const std::optional<Mean> mean = mean_of(mu);
    if (!mean || mean->dims != variance->dims || !stretches_back(mean->seen, x->shape, mean->dims)) continue;
    if (!same_value(mean->of, x, inside)) continue;
    append(inside, mean->seen.inside);
    append(inside, {variance->seen.source.get(), variance->of.get(), deviation.get(), mean->seen.source.get()});
    for (const NodePtr& twin : variance->of->inputs) inside.push_back(twin.get());
    std::erase(inside, root.get());
    auto form = [root = root.get(), x, dims = variance->dims, reduced = variance->seen.source->shape] {
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
