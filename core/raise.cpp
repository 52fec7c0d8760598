#include <tessera/core/raise.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <tessera/core/raise_forms.h>
#include <tessera/core/trace.h>

namespace tessera {
namespace {

// Nodes recorded for a form stand where the root stands.
struct AtRoot {
  explicit AtRoot(const Node& root) : outer(exchange_scope(root.scope)) {}
  ~AtRoot() { exchange_scope(outer); }
  ScopePtr outer;
};

std::optional<Found> match(const NodePtr& root) {
  std::optional<Found> found;
  switch (root->op) {
    case Op::Div:
    case Op::Mul: found = match_softmax(root); return found ? found : match_variance(root);
    case Op::Cast: return match_variance(root);
    case Op::Exp: return match_softmax(root);
    case Op::Log:
    case Op::Add: return match_logsumexp(root);
    default: return std::nullopt;
  }
}

std::optional<Found> find(const NodePtr& node) {
  if (node->value || node->custom || !is_float(node->dtype) || node->shape.numel() == 0) return std::nullopt;
  return match(node);
}

void become(Node& node, const NormalForm& form) {
  node.op = form.op;
  node.attrs = form.attrs;
  node.inputs = form.operands;
}

}  // namespace

bool near(double a, double b, DType dtype) {
  const double unit = dtype == f64 ? std::numeric_limits<double>::epsilon() : std::numeric_limits<float>::epsilon();
  return std::fabs(a - b) <= 4 * unit * std::fabs(b);
}

std::optional<NormalForm> raise(const NodePtr& node, const std::unordered_set<const Node*>& wrt) {
  if (Trace::is_as_written()) return std::nullopt;
  const std::optional<Found> found = find(node);
  if (!found) return std::nullopt;
  const auto asked_for = [&](const Node* n) { return wrt.contains(n); };
  if (std::any_of(found->inside.begin(), found->inside.end(), asked_for)) return std::nullopt;

  const auto held = [](const Node* n) { return n->handles.load(std::memory_order_relaxed) > 0; };
  // A node of another recording may not come to depend on this one.
  const bool hidden =
      node->recording == Trace::current_number() && std::none_of(found->inside.begin(), found->inside.end(), held);
  AtRoot at(*node);
  NormalForm form = found->form();
  if (hidden) become(*node, form);
  return form;
}

void raise_all(const std::vector<NodePtr>& outputs) {
  std::vector<NodePtr> todo = outputs;
  std::unordered_set<const Node*> seen;
  while (!todo.empty()) {
    const NodePtr node = std::move(todo.back());
    todo.pop_back();
    if (node->value || node->recording != Trace::current_number() || !seen.insert(node.get()).second) continue;
    if (const std::optional<Found> found = find(node)) {
      AtRoot at(*node);
      become(*node, found->form());
    }
    todo.insert(todo.end(), node->inputs.begin(), node->inputs.end());
  }
}

}  // namespace tessera
