#include <numbers>

#include <tessera/core/ops.h>
#include <tessera/core/pattern.h>
#include <tessera/core/raise_dims.h>
#include <tessera/core/raise_forms.h>
#include <tessera/core/splat.h>

namespace tessera {
namespace {

// exp(u), or exp2(u) = exp(u · ln 2).
struct Exponential {
  NodePtr u;
  double scale = 1;  // exp(scale · u)
};
std::optional<Exponential> exponential(const NodePtr& e, Inside& inside) {
  const NodePtr x = without_round_trips(e, inside);
  inside.push_back(x.get());
  if (is(x, Op::Exp)) return Exponential{x->inputs[0], 1};
  if (is(x, Op::Exp2)) return Exponential{x->inputs[0], std::numbers::ln2};
  return std::nullopt;
}

// Takes terms away that are constant along dim: u = x − c, x + c, c + x.
NodePtr without_row_constants(NodePtr u, int dim, Inside& inside) {
  for (;;) {
    u = without_round_trips(u, inside);
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
    append_rearranged(*e.u->inputs[i], inside);
    e.scale *= *number;
    e.u = e.u->inputs[1 - i];
    if (near(e.scale, 1, e.u->dtype)) return {without_row_constants(e.u, dim, inside), 1};
    break;
  }
  return e;
}

NodePtr scaled(const Exponential& e, Loc at) {
  return e.scale == 1 ? e.u : (Operand(Tensor(e.u), at) * Operand(e.scale, at)).node();
}

// How a value comes from e = exp(…), by steps that are linear in it: what f does to e it may do to softmax.
struct LinearIn {
  NodePtr e;
  Inside inside = {};
  std::vector<Step> steps = {};  // outermost first
};

constexpr size_t most_steps = 6;

std::vector<size_t> linear_operands(const NodePtr& node) {
  if (node->value || node->custom) return {};
  auto is_zero = [&](size_t operand) { return splat(*node->inputs[operand]) == 0; };
  switch (node->op) {
    case Op::Neg:
    case Op::Div:
    case Op::Transpose:
    case Op::Broadcast:
    case Op::Reshape: return {0};
    case Op::Mul: return {0, 1};
    case Op::Select:
      return is_zero(2) ? std::vector<size_t>{1} : is_zero(1) ? std::vector<size_t>{2} : std::vector<size_t>{};
    case Op::Contract:
      return std::get<ContractAttrs>(node->attrs).windows.empty() ? std::vector<size_t>{0, 1} : std::vector<size_t>{};
    default: return {};
  }
}

std::optional<LinearIn> linear_in(const NodePtr& from, const NodePtr& e, size_t steps_left = most_steps) {
  Inside inside;
  const NodePtr value = without_round_trips(from, inside);
  if (same_value(value, e, inside)) return LinearIn{value, std::move(inside)};
  if (steps_left == 0) return std::nullopt;
  for (size_t operand : linear_operands(value)) {
    std::optional<LinearIn> found = linear_in(value->inputs[operand], e, steps_left - 1);
    if (!found) continue;
    found->steps.insert(found->steps.begin(), {value, operand});
    append(found->inside, inside);
    found->inside.push_back(value.get());
    if (value->op == Op::Select) append_rearranged(*value->inputs[3 - operand], found->inside);  // the zero
    return found;
  }
  return std::nullopt;
}

// What a quotient divides by: a row sum behind views, and behind a reciprocal where the quotient is a product.
struct Divisor {
  RowSum total;
  Inside inside;
  std::vector<Step> steps;  // outermost first
};
std::optional<Divisor> divisor(NodePtr value, bool of_product) {
  Inside inside;
  std::vector<Step> steps;
  bool needs_reciprocal = of_product;
  for (size_t step = 0; step < most_steps; ++step) {
    value = without_round_trips(value, inside);
    inside.push_back(value.get());
    if (const std::optional<RowSum> total = row_sum(value)) {
      if (needs_reciprocal) return std::nullopt;
      return Divisor{*total, std::move(inside), std::move(steps)};
    }
    size_t operand = 0;
    if (needs_reciprocal && is(value, Op::Recip)) needs_reciprocal = false;
    else if (needs_reciprocal && is(value, Op::Div) && splat(*value->inputs[0]) == 1) {
      needs_reciprocal = false, operand = 1;
      append_rearranged(*value->inputs[0], inside);
    } else if (!is(value, Op::Broadcast) && !is(value, Op::Reshape) && !is(value, Op::Transpose)) return std::nullopt;
    steps.push_back({value, operand});
    value = value->inputs[operand];
  }
  return std::nullopt;
}

// Whether the divisor is Σ e along its dim where f(e) has that row: constant along what f brings in, and no two rows of
// e meet in f.
bool divides(const Divisor& by, const LinearIn& f) {
  DimFactors factors;
  const DimFactors::Lists of_e = factors.fresh(f.e->shape, DimFactors::From::kept);
  DimFactors::Lists rows = of_e;
  factors.mark(of_e[static_cast<size_t>(by.total.dim)], DimFactors::From::summed);
  rows.erase(rows.begin() + by.total.dim);
  auto end = [&](const std::vector<Step>& steps, DimFactors::Lists at) -> std::optional<DimFactors::Lists> {
    for (size_t k = steps.size(); k-- > 0;) {
      std::optional<DimFactors::Lists> next = factors.through(steps[k], at);
      if (!next) return std::nullopt;
      at = std::move(*next);
    }
    return at;
  };
  const auto value = end(f.steps, of_e), sum = end(by.steps, rows);
  return value && sum && factors.has_all(*value, rows) && factors.divides(*sum, *value);
}

// f(softmax(x)), recorded but for the outermost step.
NormalForm of_softmax(const LinearIn& f, const NodePtr& x, int dim, Loc at) {
  if (f.steps.empty()) return {Op::Softmax, DimAttrs{dim}, {x}};
  NodePtr inner = record(Op::Softmax, DimAttrs{dim}, {x}, f.e->dtype, f.e->shape, at);
  for (size_t k = f.steps.size(); k-- > 0;) {
    const auto& [node, operand] = f.steps[k];
    std::vector<NodePtr> inputs = node->inputs;
    inputs[operand] = inner;
    if (k == 0) return {node->op, node->attrs, std::move(inputs)};
    inner = record(node->op, node->attrs, std::move(inputs), node->dtype, node->shape, at);
  }
  return {};
}

std::optional<Found> match_quotient(const NodePtr& root, const NodePtr& above, const NodePtr& below, bool is_product) {
  const std::optional<Divisor> by = divisor(below, is_product);
  if (!by) return std::nullopt;
  Inside inside = by->inside;
  const int dim = by->total.dim;
  const NodePtr summed = without_round_trips(by->total.of, inside);
  if (summed->shape.numel() == 0) return std::nullopt;  // no factors to compare
  if (!exponential(summed, inside)) return std::nullopt;
  const std::optional<LinearIn> f = linear_in(above, summed);
  if (!f || !divides(*by, *f)) return std::nullopt;
  append(inside, f->inside);
  const Exponential x = logits(*exponential(f->e, inside), dim, inside);
  auto form = [x, f = *f, dim, at = root->at] { return of_softmax(f, scaled(x, at), dim, at); };
  return Found{std::move(form), std::move(inside)};
}

// exp(x − logsumexp(x))
std::optional<Found> match_difference(const NodePtr& root) {
  Inside inside;
  const NodePtr u = without_round_trips(root->inputs[0], inside);
  if (!is(u, Op::Sub)) return std::nullopt;
  const NodePtr x = without_round_trips(u->inputs[0], inside);
  Stretched taken = see_through(u->inputs[1]);
  append(inside, taken.inside);
  append(inside, {u.get(), taken.source.get()});
  NodePtr of;
  int dim = 0;
  if (is(taken.source, Op::LogSumExp)) {
    of = taken.source->inputs[0];
    dim = static_cast<int>(std::get<DimAttrs>(taken.source->attrs).dim);
  } else if (const std::optional<FoundLogSumExp> found = find_logsumexp(taken.source)) {
    of = found->x;
    dim = found->dim;
    append(inside, found->inside);
    for (int& d : taken.from)
      if (d >= 0) d = found->from[static_cast<size_t>(d)];
  }
  if (of) of = without_round_trips(of, inside);
  if (!of || of->shape != x->shape || !same_value(of, x, inside)) return std::nullopt;
  for (int d = 0; d < x->shape.rank(); ++d)
    if (x->shape[d] != 1 && taken.from[static_cast<size_t>(d)] != (d == dim ? -1 : d < dim ? d : d - 1))
      return std::nullopt;
  return Found{[x, dim] { return NormalForm{Op::Softmax, DimAttrs{dim}, {x}}; }, std::move(inside)};
}

}  // namespace

std::optional<RowSum> row_sum(const NodePtr& node) {
  if (!is(node, Op::Reduce)) return std::nullopt;
  const auto& attrs = std::get<ReduceAttrs>(node->attrs);
  if (attrs.kind != ReduceKind::sum || attrs.dims.size() != 1) return std::nullopt;
  return RowSum{node->inputs[0], static_cast<int>(attrs.dims[0])};
}

std::optional<Found> match_softmax(const NodePtr& root) {
  if (root->op == Op::Exp) return match_difference(root);
  if (root->op == Op::Div) return match_quotient(root, root->inputs[0], root->inputs[1], /*is_product=*/false);
  for (size_t i : {0, 1})
    if (auto found = match_quotient(root, root->inputs[i], root->inputs[1 - i], /*is_product=*/true)) return found;
  return std::nullopt;
}

}  // namespace tessera
