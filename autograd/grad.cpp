// What users call: checks, the walk, and zeros where nothing flowed.

#include <tessera/autograd/grad.h>

#include <string>
#include <utility>

#include <fmt/format.h>

#include <tessera/autograd/reverse_walk.h>
#include <tessera/core/error.h>

namespace tessera {
namespace {

void check_value(const Tensor& t, const std::string& what, Loc at) {
  if (!t.valid())
    throw ValueError({.code = "T-V002",
                      .fault = fmt::format("grad: {} is an empty Tensor", what),
                      .at = at,
                      .hint = "it was default-constructed or moved from"});
}

void check_float(const Tensor& t, const std::string& what, Loc at) {
  if (!is_float(t.dtype()))
    throw GradError({.code = "T-G002",
                     .fault = fmt::format("{} is {}: only floats have a gradient", what, name(t.dtype())),
                     .at = at,
                     .operands = {{what, describe(*t.node())}},
                     .hint = "cast() it to a float dtype before it is used"});
}

Tensor zeros_for(const Tensor& w, Loc at) { return zeros(w.shape(), is_storage_only(w.dtype()) ? f32 : w.dtype(), at); }

// Nothing flowed to w. Is that the truth, or was the history on the way given up?
void check_history(const ReverseWalk& walk, const Tensor& w, size_t index, Loc at) {
  // Inside compile() no value is read, and what was computed before cannot depend on the recording's own nodes.
  const NodePtr& released = walk.released();
  if (walk.reached(*w.node()) || !released || w.node()->recording) return;
  throw GradError({.code = "T-G001",
                   .fault = fmt::format("no path leads from the loss to parameter {}, but a value on the way was read "
                                        "before grad and its history is gone",
                                        index),
                   .at = at,
                   .operands = {{"value", describe(*released)},
                                {"read", "at " + released->read_at.str()},
                                {"w", describe(*w.node())}},
                   .hint = "call grad before reading; or stop_gradient() the value if it is meant to be constant"});
}

void check_parameters(const std::vector<Tensor>& wrt, Loc at) {
  for (size_t i = 0; i < wrt.size(); ++i) {
    check_value(wrt[i], fmt::format("parameter {}", i), at);
    check_float(wrt[i], fmt::format("parameter {}", i), at);
  }
}

// What a walk brought to the parameters.
std::vector<Tensor> arrived(const ReverseWalk& walk, const std::vector<Tensor>& wrt, Loc at) {
  std::vector<Tensor> gradients;
  for (size_t i = 0; i < wrt.size(); ++i) {
    Tensor g = walk.gradient(*wrt[i].node());
    if (!g.valid()) {
      check_history(walk, wrt[i], i, at);
      g = zeros_for(wrt[i], at);
    }
    gradients.push_back(std::move(g));
  }
  return gradients;
}

}  // namespace

std::vector<Tensor> vjp(const std::vector<Tensor>& outputs, const std::vector<Tensor>& cotangents,
                        const std::vector<Tensor>& wrt, Loc at) {
  if (outputs.size() != cotangents.size())
    throw GradError({.code = "T-G006",
                     .fault = fmt::format("vjp got {} outputs and {} cotangents", outputs.size(), cotangents.size()),
                     .at = at,
                     .hint = "give one cotangent per output"});
  for (size_t k = 0; k < outputs.size(); ++k) {
    check_value(outputs[k], fmt::format("output {}", k), at);
    check_value(cotangents[k], fmt::format("cotangent {}", k), at);
    check_float(outputs[k], fmt::format("output {}", k), at);
    if (outputs[k].shape() != cotangents[k].shape())
      throw GradError({.code = "T-G006",
                       .fault = fmt::format("cotangent {} has shape {}, its output {}", k, cotangents[k].shape().str(),
                                            outputs[k].shape().str()),
                       .at = at,
                       .operands = {{"output", describe(*outputs[k].node())}},
                       .hint = "a cotangent has the shape of its output"});
  }
  check_parameters(wrt, at);
  ReverseWalk walk(wrt);
  walk.run(outputs, cotangents);
  return arrived(walk, wrt, at);
}

std::vector<Tensor> grad(const Tensor& loss, const std::vector<Tensor>& wrt, Loc at) {
  check_value(loss, "the loss", at);
  if (loss.numel() != 1)
    throw GradError({.code = "T-G007",
                     .fault = fmt::format("the loss has {} elements, grad needs one", loss.numel()),
                     .at = at,
                     .operands = {{"loss", describe(*loss.node())}},
                     .hint = "reduce it with sum() or mean(), or give vjp() a cotangent"});
  check_float(loss, "the loss", at);
  check_parameters(wrt, at);
  ReverseWalk walk(wrt);
  walk.run({loss}, {walk.seed(loss, at)});
  return arrived(walk, wrt, at);
}

Tensor grad(const Tensor& loss, const Tensor& wrt, Loc at) { return grad(loss, std::vector<Tensor>{wrt}, at)[0]; }

std::vector<Tensor> grad(const Tensor& loss, const std::vector<State*>& wrt, Loc at) {
  std::vector<Tensor> values;
  for (size_t i = 0; i < wrt.size(); ++i) {
    if (!wrt[i])
      throw ValueError({.code = "T-V002", .fault = fmt::format("grad: parameter {} is a null State", i), .at = at});
    values.push_back(wrt[i]->value());
  }
  return grad(loss, values, at);
}

}  // namespace tessera
