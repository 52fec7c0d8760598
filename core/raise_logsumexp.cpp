#include <algorithm>
#include <iterator>

#include <tessera/core/pattern.h>
#include <tessera/core/raise_forms.h>
#include <tessera/core/splat.h>

namespace tessera {
namespace {

// log Σ exp(u), seen from a root of the same elements.
struct LogSum {
  NodePtr u;
  int dim;
  Shape reduced;
  std::vector<int> from;  // reduced dim of each dim of the root
  Inside inside;
};
std::optional<LogSum> log_sum(const NodePtr& node) {
  const Stretched log = see_through(node);
  if (!is(log.source, Op::Log)) return std::nullopt;
  const Stretched total = see_through(log.source->inputs[0]);
  const std::optional<RowSum> sum = row_sum(total.source);
  if (!sum || total.source->shape.numel() != node->shape.numel()) return std::nullopt;
  Inside inside = log.inside;
  const NodePtr e = without_round_trips(sum->of, inside);
  if (!is(e, Op::Exp)) return std::nullopt;
  const NodePtr u = without_round_trips(e->inputs[0], inside);
  LogSum out{u, sum->dim, total.source->shape, {}, std::move(inside)};
  for (int d : log.from) out.from.push_back(d < 0 ? -1 : total.from[static_cast<size_t>(d)]);
  append(out.inside, {log.source.get(), total.source.get(), e.get()});
  append(out.inside, total.inside);
  return out;
}

// What both ways pass needs no gradient through the pattern: it is taken and given back.
void append_differing(Inside& to, Inside added, Inside taken) {
  std::ranges::sort(added);
  std::ranges::sort(taken);
  std::ranges::set_symmetric_difference(added, taken, std::back_inserter(to));
}

// `c` is what `subtracted` took from the rows before exp().
bool undoes(const NodePtr& c, const NodePtr& subtracted, LogSum& log) {
  if (const std::optional<double> number = splat(*c)) {
    if (splat(*subtracted) != number) return false;
    Inside added, taken;
    append_rearranged(*c, added);
    append_rearranged(*subtracted, taken);
    append_differing(log.inside, std::move(added), std::move(taken));
    return true;
  }
  const Stretched added = see_through(c), taken = see_through(subtracted);
  if (!same_value(added.source, taken.source, log.inside) || !constant_along(*subtracted, log.dim)) return false;
  for (size_t d = 0; d < added.from.size(); ++d) {
    if (c->shape.dims()[d] == 1) continue;
    const int reduced = log.from[d];
    const int row = reduced < log.dim ? reduced : reduced + 1;  // the same dim before the reduction
    if (reduced < 0 || added.from[d] != taken.from[static_cast<size_t>(row)]) return false;
  }
  append_differing(log.inside, added.inside, taken.inside);
  return true;
}

}  // namespace

std::optional<FoundLogSumExp> find_logsumexp(const NodePtr& root) {
  if (is(root, Op::Log)) {
    std::optional<LogSum> log = log_sum(root);
    if (!log) return std::nullopt;
    std::erase(log->inside, root.get());
    return FoundLogSumExp{log->u, log->dim, log->reduced, log->from, log->inside};
  }
  if (!is(root, Op::Add)) return std::nullopt;
  for (size_t i : {0, 1}) {
    std::optional<LogSum> log = log_sum(root->inputs[i]);
    if (!log || !is(log->u, Op::Sub) || !undoes(root->inputs[1 - i], log->u->inputs[1], *log)) continue;
    log->inside.push_back(log->u.get());
    return FoundLogSumExp{log->u->inputs[0], log->dim, log->reduced, log->from, log->inside};
  }
  return std::nullopt;
}

std::optional<Found> match_logsumexp(const NodePtr& root) {
  std::optional<FoundLogSumExp> found = find_logsumexp(root);
  if (!found) return std::nullopt;
  auto form = [root = root.get(), x = found->x, dim = found->dim, reduced = found->reduced] {
    NormalForm lse{Op::LogSumExp, DimAttrs{dim}, {x}};
    if (root->shape == reduced) return lse;  // the dims of the root were kept
    NodePtr kept = record(lse.op, lse.attrs, lse.operands, root->dtype, reduced, root->at);
    return NormalForm{Op::Reshape, NoAttrs{}, {std::move(kept)}};
  };
  return Found{std::move(form), std::move(found->inside)};
}

}  // namespace tessera
