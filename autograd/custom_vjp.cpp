#include <tessera/autograd/custom_vjp.h>

#include <iterator>

namespace tessera {
namespace {

void take(std::vector<NodePtr>& from, std::vector<NodePtr>& to) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  from.clear();
}

}  // namespace

CustomCall::~CustomCall() {
  // Releasing a node may end the call before this one: the outermost of them drains for all.
  thread_local std::vector<NodePtr> doomed;
  thread_local bool draining = false;
  take(inputs, doomed);
  take(outputs, doomed);
  if (draining) return;
  draining = true;
  while (!doomed.empty()) {
    NodePtr last = std::move(doomed.back());
    doomed.pop_back();
  }
  draining = false;
}

Tensor custom_output(const std::shared_ptr<const CustomCall>& call, size_t k) {
  const NodePtr& inner = call->outputs[k];
  NodePtr outer = record(Op::Reshape, NoAttrs{}, {inner}, inner->dtype, inner->shape, inner->at);
  outer->custom = std::make_shared<const CustomRule>(CustomRule{call, k});
  return Tensor(outer);
}

Tensors custom_outputs(const std::shared_ptr<const CustomCall>& call) {
  Tensors out;
  for (size_t k = 0; k < call->outputs.size(); ++k) out.push_back(custom_output(call, k));
  return out;
}

std::function<Tensors(const Tensors&)> custom_vjp(
    std::function<Tensors(const Tensors&)> forward,
    std::function<Tensors(const Tensors& inputs, const Tensors& outputs, const Tensors& cotangents)> backward) {
  return [forward = std::move(forward), backward = std::move(backward)](const Tensors& inputs) {
    auto call = std::make_shared<CustomCall>();
    for (const Tensor& t : inputs) call->inputs.push_back(t.node());
    for (const Tensor& t : forward(inputs)) call->outputs.push_back(t.node());
    call->backward = backward;
    return custom_outputs(call);
  };
}

}  // namespace tessera
