#include <tessera/core/node.h>

#include <tessera/core/pending.h>
#include <tessera/core/trace.h>

namespace tessera {

Node::~Node() {
  std::vector<NodePtr> doomed = std::move(inputs);
  while (!doomed.empty()) {
    NodePtr node = std::move(doomed.back());
    doomed.pop_back();
    if (node && node.use_count() == 1) {
      for (NodePtr& input : node->inputs) doomed.push_back(std::move(input));
      node->inputs.clear();
    }
  }
}

std::string type_str(const Node& node) { return std::string(name(node.dtype)) + node.shape.str(); }

std::string describe(const Node& node) {
  std::string out = type_str(node);
  if (!node.label.empty()) return out + " " + node.label;
  if (node.op == Op::Input) return out + " data";
  Loc at = user_location(node.at, node.scope);
  return out + " result of " + std::string(name(node.op)) + (at.known() ? " at " + at.str() : "");
}

NodePtr record(Op op, Attrs attrs, std::vector<NodePtr> inputs, DType dtype, Shape shape, Loc at) {
  auto node = std::make_shared<Node>();
  node->op = op;
  node->dtype = dtype;
  node->shape = std::move(shape);
  node->attrs = std::move(attrs);
  node->inputs = std::move(inputs);
  node->at = at;
  node->scope = current_scope();
  node->recording = Trace::current_number();
  if (!node->recording) pending().add(node);
  return node;
}

}  // namespace tessera
