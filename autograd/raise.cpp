#include <tessera/autograd/raise.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <numeric>

#include <tessera/autograd/pattern.h>
#include <tessera/autograd/splat.h>
#include <tessera/core/ops.h>
#include <tessera/core/trace.h>

namespace tessera {
namespace {

using Inside = std::vector<const Node*>;

// A pattern that was found. Its form is made only when it will be used, because that may record a node.
struct Found {
  std::function<NormalForm()> form;
  Inside inside;  // nodes between the root and the operands of the form
};

void append(Inside& to, const Inside& from) { to.insert(to.end(), from.begin(), from.end()); }
bool near(double a, double b) { return std::fabs(a - b) <= 1e-6 * std::fabs(b); }

// Nodes recorded for a form stand where the root stands.
struct AtRoot {
  explicit AtRoot(const Node& root) : outer(exchange_scope(root.scope)) {}
  ~AtRoot() { exchange_scope(outer); }
  ScopePtr outer;
};

// exp(u), or exp2(u) = exp(u · ln 2).
struct Exponential {
  NodePtr u;
  double scale = 1;  // exp(scale · u)
};
std::optional<Exponential> exponential(const NodePtr& e) {
  if (is(e, Op::Exp)) return Exponential{e->inputs[0], 1};
  if (is(e, Op::Exp2)) return Exponential{e->inputs[0], std::numbers::ln2};
  return std::nullopt;
}

// Takes terms away that are constant along dim: u = x − c, x + c, c + x.
NodePtr without_row_constants(NodePtr u, int dim, Inside& inside) {
  for (;;) {
    NodePtr rest;
    if ((is(u, Op::Sub) || is(u, Op::Add)) && constant_along(*u->inputs[1], dim)) rest = u->inputs[0];
    else if (is(u, Op::Add) && constant_along(*u->inputs[0], dim)) rest = u->inputs[1];
    if (!rest) return u;
    inside.push_back(u.get());
    u = rest;
  }
}

// The logits of e = exp(x − c), and the factor that they still need.
Exponential logits(Exponential e, int dim, Inside& inside) {
  e.u = without_row_constants(e.u, dim, inside);
  if (e.scale == 1 || !is(e.u, Op::Mul)) return e;
  for (size_t i : {0, 1}) {
    const std::optional<double> number = splat(*e.u->inputs[i]);
    if (!number) continue;
    inside.push_back(e.u.get());
    e.scale *= *number;
    e.u = e.u->inputs[1 - i];
    if (near(e.scale, 1)) return {without_row_constants(e.u, dim, inside), 1};
    break;
  }
  return e;
}

NodePtr scaled(const Exponential& e, Loc at) {
  return e.scale == 1 ? e.u : (Operand(Tensor(e.u), at) * Operand(e.scale, at)).node();
}

// Σ along one dim, and what is summed.
struct RowSum {
  NodePtr of;
  int dim;
};
std::optional<RowSum> row_sum(const NodePtr& node) {
  if (!is(node, Op::Reduce)) return std::nullopt;
  const auto& attrs = std::get<ReduceAttrs>(node->attrs);
  if (attrs.kind != ReduceKind::sum || attrs.dims.size() != 1) return std::nullopt;
  return RowSum{node->inputs[0], static_cast<int>(attrs.dims[0])};
}

std::optional<Found> match_quotient(const NodePtr& root, const NodePtr& e, const Stretched& below) {
  const std::optional<Exponential> above = exponential(e);
  const std::optional<RowSum> total = row_sum(below.source);
  if (!above || !total || !stretches_back(below, e->shape, {total->dim}) || !same_value(total->of, e))
    return std::nullopt;
  Inside inside = below.inside;
  append(inside, {e.get(), total->of.get(), below.source.get()});
  const Exponential x = logits(*above, total->dim, inside);
  if (total->of != e) logits(*exponential(total->of), total->dim, inside);  // its twin's nodes lie inside too
  auto form = [x, dim = total->dim, at = root->at] { return NormalForm{Op::Softmax, DimAttrs{dim}, {scaled(x, at)}}; };
  return Found{std::move(form), std::move(inside)};
}

std::optional<Found> match_softmax(const NodePtr& root) {
  if (root->op == Op::Div) return match_quotient(root, root->inputs[0], see_through(root->inputs[1]));
  for (size_t i : {0, 1}) {
    const Stretched factor = see_through(root->inputs[1 - i], Through::Reciprocal);
    if (factor.reciprocal)
      if (auto found = match_quotient(root, root->inputs[i], factor)) return found;
  }
  return std::nullopt;
}

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
  if (!sum || !is(sum->of, Op::Exp) || total.source->shape.numel() != node->shape.numel()) return std::nullopt;
  LogSum out{sum->of->inputs[0], sum->dim, total.source->shape, {}, log.inside};
  for (int d : log.from) out.from.push_back(d < 0 ? -1 : total.from[static_cast<size_t>(d)]);
  append(out.inside, {log.source.get(), total.source.get(), sum->of.get()});
  append(out.inside, total.inside);
  return out;
}

Found as_logsumexp(const NodePtr& root, const NodePtr& x, const LogSum& log, Inside inside) {
  auto form = [root = root.get(), x, dim = log.dim, reduced = log.reduced] {
    NormalForm lse{Op::LogSumExp, DimAttrs{dim}, {x}};
    if (root->shape == reduced) return lse;  // the dims of the root were kept
    NodePtr kept = record(lse.op, lse.attrs, lse.operands, root->dtype, reduced, root->at);
    return NormalForm{Op::Reshape, NoAttrs{}, {std::move(kept)}};
  };
  return {std::move(form), std::move(inside)};
}

// `c` is what `subtracted` took from the rows before exp().
bool undoes(const NodePtr& c, const NodePtr& subtracted, const LogSum& log) {
  const std::optional<double> number = splat(*c);
  if (number) return splat(*subtracted) == number;
  const Stretched added = see_through(c), taken = see_through(subtracted);
  if (!same_value(added.source, taken.source) || !constant_along(*subtracted, log.dim)) return false;
  for (size_t d = 0; d < added.from.size(); ++d) {
    if (c->shape.dims()[d] == 1) continue;
    const int reduced = log.from[d];
    const int row = reduced < log.dim ? reduced : reduced + 1;  // the same dim before the reduction
    if (reduced < 0 || added.from[d] != taken.from[static_cast<size_t>(row)]) return false;
  }
  return true;
}

std::optional<Found> match_logsumexp(const NodePtr& root) {
  if (root->op == Op::Log) {
    std::optional<LogSum> log = log_sum(root);
    if (!log) return std::nullopt;
    std::erase(log->inside, root.get());
    return as_logsumexp(root, log->u, *log, log->inside);
  }
  for (size_t i : {0, 1}) {
    const std::optional<LogSum> log = log_sum(root->inputs[i]);
    if (!log || !is(log->u, Op::Sub) || !undoes(root->inputs[1 - i], log->u->inputs[1], *log)) continue;
    Inside inside = log->inside;
    inside.push_back(log->u.get());
    return as_logsumexp(root, log->u->inputs[0], *log, std::move(inside));
  }
  return std::nullopt;
}

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
  if (attrs.kind != ReduceKind::sum || !near(value.factor * count, 1)) return std::nullopt;
  return Mean{x, attrs.dims};
}

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

std::optional<Found> match(const NodePtr& root) {
  std::optional<Found> found;
  switch (root->op) {
    case Op::Div:
    case Op::Mul: found = match_softmax(root); return found ? found : match_variance(root);
    case Op::Log:
    case Op::Add: return match_logsumexp(root);
    default: return std::nullopt;
  }
}

}  // namespace

std::optional<NormalForm> raise(const NodePtr& node, const std::unordered_set<const Node*>& wrt) {
  if (node->value || node->custom || !is_float(node->dtype)) return std::nullopt;
  const std::optional<Found> found = match(node);
  if (!found) return std::nullopt;
  const auto asked_for = [&](const Node* n) { return wrt.contains(n); };
  if (std::any_of(found->inside.begin(), found->inside.end(), asked_for)) return std::nullopt;

  const auto held = [](const Node* n) { return n->handles.load(std::memory_order_relaxed) > 0; };
  // A node of another recording may not come to depend on this one.
  const bool hidden = node->trace == Trace::current() && std::none_of(found->inside.begin(), found->inside.end(), held);
  AtRoot at(*node);
  NormalForm form = found->form();
  if (hidden) {
    node->op = form.op;
    node->attrs = form.attrs;
    node->inputs = form.operands;
  }
  return form;
}

}  // namespace tessera
