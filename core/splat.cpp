#include <tessera/core/splat.h>

namespace tessera {

std::optional<double> splat(const Node& node) {
  const Node* at = &node;
  while (!at->value && (at->op == Op::Broadcast || at->op == Op::Reshape || at->op == Op::Transpose))
    at = at->inputs[0].get();
  if (at->op != Op::Constant) return std::nullopt;
  return as_double(std::get<ConstantAttrs>(at->attrs).value);
}

}  // namespace tessera
