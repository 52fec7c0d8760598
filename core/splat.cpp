#include <tessera/core/splat.h>

namespace tessera {
namespace {

bool rearranges(const Node& node) {
  return !node.value && (node.op == Op::Broadcast || node.op == Op::Reshape || node.op == Op::Transpose);
}
bool is_held(const Node& node) { return node.handles.load(std::memory_order_relaxed) > 0; }

}  // namespace

const Node& rearranged(const Node& node) {
  const Node* at = &node;
  while (rearranges(*at)) at = at->inputs[0].get();
  return *at;
}

void append_rearranged(const Node& node, std::vector<const Node*>& to) {
  const Node* at = &node;
  for (; rearranges(*at); at = at->inputs[0].get()) to.push_back(at);
  to.push_back(at);
}

std::optional<double> splat(const Node& node) {
  const Node& source = rearranged(node);
  if (source.op != Op::Constant) return std::nullopt;
  return as_double(std::get<ConstantAttrs>(source.attrs).value);
}

bool is_hidden_number(const Node& node) {
  const Node* at = &node;
  for (; rearranges(*at); at = at->inputs[0].get())
    if (is_held(*at)) return false;
  return at->op == Op::Constant && !is_held(*at);
}

}  // namespace tessera
