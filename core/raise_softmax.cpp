#include <cmath>
#include <numbers>

#include <tessera/core/einsum.h>
#include <tessera/core/ops.h>
#include <tessera/core/pattern.h>
#include <tessera/core/raise_forms.h>
#include <tessera/core/splat.h>

namespace tessera {
namespace {

bool near(double a, double b) { return std::fabs(a - b) <= 1e-6 * std::fabs(b); }

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

// How a value comes from e = exp(…), by steps that are linear in it: what f does to e it may do to softmax.
struct LinearIn {
  struct Step {
    NodePtr node;
    size_t operand;  // that leads to e
  };
  NodePtr e;
  Inside inside = {};
  std::vector<Step> steps = {};  // outermost first
  std::vector<int> from = {};    // dim of e of each dim of the value, or −1: the value has it from elsewhere
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

// The operand's dim of each dim of the result, or −1. Empty where dims are split or merged.
std::vector<int> dims_through(const LinearIn::Step& step) {
  const Node& node = *step.node;
  std::vector<int> out(static_cast<size_t>(node.shape.rank()));
  if (node.op == Op::Contract) {
    const Einsum words = *parse_einsum(std::get<ContractAttrs>(node.attrs).einsum);
    const std::string& word = step.operand == 0 ? words.a : words.b;
    for (size_t d = 0; d < out.size(); ++d) {
      const size_t at = word.find(words.out[d]);
      out[d] = at == std::string::npos ? -1 : static_cast<int>(at);
    }
    return out;
  }
  if (node.op == Op::Transpose || node.op == Op::Broadcast || node.op == Op::Reshape) return operand_dims(node);
  for (size_t d = 0; d < out.size(); ++d) out[d] = static_cast<int>(d);
  return out;
}

std::optional<LinearIn> linear_in(const NodePtr& from, const NodePtr& e, size_t steps_left = most_steps) {
  Inside inside;
  const NodePtr value = without_round_trips(from, inside);
  if (same_value(value, e)) {
    LinearIn found{value, std::move(inside)};
    for (int d = 0; d < value->shape.rank(); ++d) found.from.push_back(d);
    return found;
  }
  if (steps_left == 0) return std::nullopt;
  for (size_t operand : linear_operands(value)) {
    std::optional<LinearIn> found = linear_in(value->inputs[operand], e, steps_left - 1);
    if (!found) continue;
    const LinearIn::Step step{value, operand};
    std::vector<int> through = dims_through(step);
    if (through.size() != static_cast<size_t>(value->shape.rank())) continue;
    for (int& d : through)
      if (d >= 0) d = found->from[static_cast<size_t>(d)];
    found->from = std::move(through);
    found->steps.insert(found->steps.begin(), step);
    append(found->inside, inside);
    found->inside.push_back(value.get());
    return found;
  }
  return std::nullopt;
}

// `divisor` is Σ e along `dim` where f(e) has it: constant along what f brings in, and no two sums of e meet in f.
bool divides(const Stretched& divisor, const LinearIn& f, const Shape& shape, int dim) {
  std::vector<bool> met(static_cast<size_t>(f.e->shape.rank()), false);
  for (int d = 0; d < shape.rank(); ++d) {
    if (shape[d] == 1) continue;
    const int of_e = f.from[static_cast<size_t>(d)];
    const bool constant = of_e < 0 || of_e == dim || f.e->shape[of_e] == 1;
    if (!constant) met[static_cast<size_t>(of_e)] = true;
    if (divisor.from[static_cast<size_t>(d)] != (constant ? -1 : of_e < dim ? of_e : of_e - 1)) return false;
  }
  for (int d = 0; d < f.e->shape.rank(); ++d)
    if (d != dim && f.e->shape[d] != 1 && !met[static_cast<size_t>(d)]) return false;
  return true;
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

std::optional<Found> match_quotient(const NodePtr& root, const NodePtr& above, const Stretched& below) {
  const std::optional<RowSum> total = row_sum(below.source);
  if (!total) return std::nullopt;
  Inside inside = below.inside;
  inside.push_back(below.source.get());
  const NodePtr summed = without_round_trips(total->of, inside);
  const std::optional<Exponential> twin = exponential(summed, inside);
  if (!twin) return std::nullopt;
  const std::optional<LinearIn> f = linear_in(above, summed);
  if (!f || !divides(below, *f, root->shape, total->dim)) return std::nullopt;
  append(inside, f->inside);
  const Exponential x = logits(*exponential(f->e, inside), total->dim, inside);
  if (summed != f->e) logits(*twin, total->dim, inside);  // its nodes lie inside too
  auto form = [x, f = *f, dim = total->dim, at = root->at] { return of_softmax(f, scaled(x, at), dim, at); };
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
  if (!of || of->shape != x->shape || !same_value(of, x)) return std::nullopt;
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
  if (root->op == Op::Div)
    return match_quotient(root, root->inputs[0], see_through(root->inputs[1], Through::Transposed));
  for (size_t i : {0, 1}) {
    const Stretched factor = see_through(root->inputs[1 - i], Through::Reciprocal);
    if (factor.reciprocal)
      if (auto found = match_quotient(root, root->inputs[i], factor)) return found;
  }
  return std::nullopt;
}

}  // namespace tessera
