#pragma once
// A call whose backward is not the backward of its ops: custom_vjp() and recompute(). Its outputs are identity nodes
// that carry a CustomRule; the walk (reverse_walk.h) treats all outputs of one call together.

#include <functional>
#include <memory>
#include <vector>

#include <tessera/autograd/grad.h>

namespace tessera {

// Holds nodes and not Tensors: a handle would make the next read compute them.
struct CustomCall {
  std::vector<NodePtr> inputs, outputs;  // outputs as the forward function returned them
  // One of the two. Neither: the outputs have no gradient, and asking for one is an error.
  std::function<Tensors(const Tensors& inputs, const Tensors& outputs, const Tensors& cotangents)> backward;
  std::function<Tensors(const Tensors& inputs)> replay;  // records the outputs again

  CustomCall() = default;
  CustomCall(const CustomCall&) = delete;
  CustomCall& operator=(const CustomCall&) = delete;
  ~CustomCall();  // iterative, like Node's: a chain of calls must not recurse
};

struct CustomRule {
  std::shared_ptr<const CustomCall> call;
  size_t output;  // which of the call's
};

// A new node for output k of the call: what users see, and where the walk finds the rule.
Tensor custom_output(const std::shared_ptr<const CustomCall>&, size_t k);
Tensors custom_outputs(const std::shared_ptr<const CustomCall>&);

}  // namespace tessera
