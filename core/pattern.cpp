#include <tessera/core/pattern.h>

#include <algorithm>
#include <numeric>

#include <tessera/core/splat.h>

namespace tessera {
namespace {

constexpr int max_steps = 16;  // how far a pattern reaches: keeps raising linear in the graph

Dims long_dims(const Shape& shape) {
  Dims out;
  for (int d = 0; d < shape.rank(); ++d)
    if (shape[d] != 1) out.push_back(d);
  return out;
}

bool is_layout(const NodePtr& node) {
  return is(node, Op::Broadcast) || (is(node, Op::Reshape) && operand_dims(*node).size() == node->shape.dims().size());
}

struct Factor {
  NodePtr rest, number;
  double factor = 1;
};
// node = factor · rest, where the factor is the number or its reciprocal
std::optional<Factor> number_times(const NodePtr& node) {
  if (is(node, Op::Mul))
    for (size_t i : {0, 1})
      if (auto number = splat(*node->inputs[i])) return Factor{node->inputs[1 - i], node->inputs[i], *number};
  if (is(node, Op::Div))
    if (auto number = splat(*node->inputs[1])) return Factor{node->inputs[0], node->inputs[1], 1 / *number};
  return std::nullopt;
}

bool constant_along(const Node& node, int dim, int steps) {
  if (node.shape[dim] == 1 || splat(node)) return true;
  if (steps == 0 || node.value || node.custom) return false;
  const auto operand = [&](int of) { return constant_along(*node.inputs[0], of, steps - 1); };
  switch (row(node.op).family) {
    case Family::Unary:
    case Family::Binary:
    case Family::Compare:
    case Family::Select:
    case Family::Identity:
      return std::all_of(node.inputs.begin(), node.inputs.end(),
                         [&](const NodePtr& x) { return constant_along(*x, dim, steps - 1); });
    default: break;
  }
  const std::vector<int> from = operand_dims(node);
  if (from.empty()) return false;
  return from[static_cast<size_t>(dim)] < 0 || operand(from[static_cast<size_t>(dim)]);
}

bool same_value(const NodePtr& a, const NodePtr& b, int& budget, std::vector<const Node*>& inside) {
  if (a == b) return true;
  if (--budget < 0 || a->value || b->value || a->custom || b->custom || a->op == Op::Input) return false;
  if (a->op != b->op || a->dtype != b->dtype || a->shape != b->shape || a->inputs.size() != b->inputs.size())
    return false;
  if (!equal(a->attrs, b->attrs)) return false;
  for (size_t i = 0; i < a->inputs.size(); ++i)
    if (!same_value(a->inputs[i], b->inputs[i], budget, inside)) return false;
  inside.push_back(a.get());
  inside.push_back(b.get());
  return true;
}

}  // namespace

std::vector<int> operand_dims(const Node& node) {
  std::vector<int> out(static_cast<size_t>(node.shape.rank()), -1);
  if (node.op == Op::Transpose) {
    const Dims& dims = std::get<DimsAttrs>(node.attrs).dims;
    return {dims.begin(), dims.end()};
  }
  if (node.op != Op::Broadcast && node.op != Op::Reshape) return {};
  const Shape& x = node.inputs[0]->shape;
  if (node.op == Op::Broadcast) {
    const Dims& dims = std::get<DimsAttrs>(node.attrs).dims;
    for (size_t i = 0; i < dims.size(); ++i)
      if (x.dims()[i] == node.shape.dims()[static_cast<size_t>(dims[i])])
        out[static_cast<size_t>(dims[i])] = static_cast<int>(i);
    return out;
  }
  const Dims mine = long_dims(node.shape), theirs = long_dims(x);
  for (size_t i = 0; i < mine.size(); ++i) {
    if (mine.size() != theirs.size() || node.shape[static_cast<int>(mine[i])] != x[static_cast<int>(theirs[i])])
      return {};
    out[static_cast<size_t>(mine[i])] = static_cast<int>(theirs[i]);
  }
  return out;
}

bool is(const NodePtr& node, Op op) { return node->op == op && !node->value && !node->custom; }

NodePtr without_round_trips(NodePtr node, std::vector<const Node*>& inside) {
  while (is(node, Op::Cast) && is(node->inputs[0], Op::Cast)) {
    const NodePtr &wide = node->inputs[0], &x = wide->inputs[0];
    const bool holds_all = wide->dtype == f64 || (wide->dtype == f32 && x->dtype != f64);
    if (x->dtype != node->dtype || !is_float(x->dtype) || !holds_all) break;
    inside.push_back(node.get());
    inside.push_back(wide.get());
    node = x;
  }
  return node;
}

Stretched see_through(const NodePtr& node, Through what) {
  Stretched out{node, std::vector<int>(static_cast<size_t>(node->shape.rank())), 1, {}};
  std::iota(out.from.begin(), out.from.end(), 0);
  for (int step = 0; step < max_steps; ++step) {
    out.source = without_round_trips(out.source, out.inside);
    NodePtr next;
    if (is_layout(out.source)) {
      const std::vector<int> dims = operand_dims(*out.source);
      for (int& d : out.from) d = d < 0 ? -1 : dims[static_cast<size_t>(d)];
      next = out.source->inputs[0];
    } else if (what == Through::Factors) {
      if (const auto found = number_times(out.source)) {
        out.factor *= found->factor;
        append_rearranged(*found->number, out.inside);
        next = found->rest;
      }
    }
    if (!next) break;
    out.inside.push_back(out.source.get());
    out.source = next;
  }
  return out;
}

bool stretches_back(const Stretched& value, const Shape& shape, const Dims& reduced) {
  if (static_cast<int>(value.from.size()) != shape.rank()) return false;
  int kept = 0;
  for (int d = 0; d < shape.rank(); ++d) {
    const bool gone = std::find(reduced.begin(), reduced.end(), d) != reduced.end();
    if (shape[d] != 1 && value.from[static_cast<size_t>(d)] != (gone ? -1 : kept)) return false;
    if (!gone) ++kept;
  }
  return value.source->shape.rank() == kept;
}

bool constant_along(const Node& node, int dim) { return constant_along(node, dim, max_steps / 2); }

bool same_value(const NodePtr& a, const NodePtr& b, std::vector<const Node*>& inside) {
  int budget = 2 * max_steps;
  const size_t before = inside.size();
  if (same_value(a, b, budget, inside)) return true;
  inside.resize(before);
  return false;
}

}  // namespace tessera
