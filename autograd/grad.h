#pragma once
// Reverse-mode differentiation of the recorded graph (D4). grad() walks the graph backwards from the loss and appends
// ordinary ops: the result is a graph like any other, so it fuses, prints and can be differentiated again.

#include <functional>
#include <span>
#include <vector>

#include <tessera/core/ops.h>
#include <tessera/core/state.h>

namespace tessera {

// ∂loss/∂w for each w. Requires: loss has one element. A w that the loss does not depend on gets zeros.
// Throws GradError naming the op's line when the path goes through an op that has no gradient, when a w is an integer,
// and when the history was released because a value on the path was read.
std::vector<Tensor> grad(const Tensor& loss, const std::vector<Tensor>& wrt, Loc at = Loc::here());
Tensor grad(const Tensor& loss, const Tensor& wrt, Loc at = Loc::here());
std::vector<Tensor> grad(const Tensor& loss, const std::vector<State*>& wrt, Loc at = Loc::here());

// Vector–Jacobian product: Σ cotangent_k · ∂outputs_k/∂w.
std::vector<Tensor> vjp(const std::vector<Tensor>& outputs, const std::vector<Tensor>& cotangents,
                        const std::vector<Tensor>& wrt, Loc at = Loc::here());

// A function with the user's own backward. backward(inputs, outputs, cotangents) returns one gradient per input, an
// empty Tensor for none. What forward captures beside its inputs gets no gradient. A null backward: grad through it throws.
using Tensors = std::vector<Tensor>;
std::function<Tensors(const Tensors&)> custom_vjp(
    std::function<Tensors(const Tensors&)> forward,
    std::function<Tensors(const Tensors& inputs, const Tensors& outputs, const Tensors& cotangents)> backward);

// Runs fn, but keeps none of its intermediate values for the backward: they are computed again there
// (Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016). Same bits, same random draws; tensors and States
// that fn captures get their gradients too. fn is kept and called again by grad(): it must not assign States, and must
// not capture by reference what is gone by then.
Tensors recompute(const std::function<Tensors(const Tensors&)>& fn, const Tensors& inputs);

}  // namespace tessera
