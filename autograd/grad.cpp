// The reverse walk. README.md has it on one page.

#include <tessera/autograd/grad.h>

#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include <tessera/autograd/custom_vjp.h>
#include <tessera/autograd/vjp_rules.h>
#include <tessera/core/error.h>
#include <tessera/core/fault.h>
#include <tessera/core/raise.h>

namespace tessera {
namespace {

// While it lives, new nodes belong to the module of `node` and show the line of `node`.
class BackwardOf {
 public:
  explicit BackwardOf(const Node& node)
      : outer_(exchange_scope(
            std::make_shared<const Scope>(Scope{"grad", user_location(node.at, node.scope), node.scope}))) {}
  ~BackwardOf() { exchange_scope(std::move(outer_)); }
  BackwardOf(const BackwardOf&) = delete;
  BackwardOf& operator=(const BackwardOf&) = delete;

 private:
  ScopePtr outer_;
};

std::string path_of(const Node& node) { return node.scope ? node.scope->path() : std::string(); }

[[noreturn]] void throw_no_gradient(const Node& node) {
  throw GradError({.code = "T-G003",
                   .fault = node.custom ? "a function without a backward lies between the loss and a parameter"
                                        : fmt::format("{} has no gradient", name(node.op)),
                   .at = user_location(node.at, node.scope),
                   .path = path_of(node),
                   .operands = {{"op", describe(node)}},
                   .hint = "stop_gradient() its result if nothing shall flow through it"});
}

[[noreturn]] void throw_other_replay() {
  throw GradError({.code = "T-G005",
                   .fault = "a function under recompute() recorded something else the second time",
                   .hint = "it must compute the same from the same: capture by value, assign no State"});
}

// Computed by a read, so that nobody knows any more what it came from.
bool is_released(const Node& node) {
  return node.value && node.op != Op::Input && is_float(node.dtype) && row(node.op).family != Family::Source;
}

class ReverseWalk {
 public:
  explicit ReverseWalk(const std::vector<Tensor>& wrt) {
    for (const Tensor& w : wrt) wrt_.insert(w.node().get());
  }

  void run(const std::vector<Tensor>& outputs, const std::vector<Tensor>& cotangents) {
    const std::vector<NodePtr> order = collect(outputs);
    for (size_t k = 0; k < outputs.size(); ++k) accumulate(outputs[k].node(), cotangents[k]);
    for (auto node = order.rbegin(); node != order.rend(); ++node) step(*node);
  }

  bool reached(const Node& w) const { return visits_.contains(&w); }
  Tensor gradient(const Node& w) const {  // empty: nothing flowed there
    auto found = visits_.find(&w);
    return found == visits_.end() ? Tensor() : found->second.gradient;
  }
  const NodePtr& released() const { return released_; }

 private:
  struct Visit {
    NodePtr node;  // held, so that no address comes twice: what a replay recorded may be gone before the walk ends
    bool needed = false;  // it depends on a w: gradients flow here and nowhere else
    bool passed = false;  // its gradient has been handed on
    std::optional<NormalForm> form;
    NodePtr stands_for;  // of a copy of an input of a replay: the input
    Tensor gradient;
  };
  struct Group {  // the outputs of one CustomCall that the loss depends on
    size_t waiting = 0;
    Tensors outputs, cotangents;  // by output, empty where nothing arrived
  };

  static const std::vector<NodePtr>& sources(const Node& node, const Visit& visit) {
    static const std::vector<NodePtr> none;
    if (node.value || !is_float(node.dtype)) return none;
    if (!node.custom && row(op_of(node, visit)).gradient == Gradient::Zero) return none;
    if (node.custom && !node.custom->call->replay) return node.custom->call->inputs;
    return visit.form ? visit.form->operands : node.inputs;
  }

  // What the outputs depend on and was not seen before, operands first. Linear, and no recursion: graphs are deep.
  std::vector<NodePtr> collect(const std::vector<Tensor>& outputs) {
    std::vector<NodePtr> order;
    std::vector<std::pair<NodePtr, size_t>> path;
    auto enter = [&](const NodePtr& node) {
      auto [at, is_new] = visits_.try_emplace(node.get());
      if (!is_new) return;
      at->second.node = node;
      at->second.form = raise(node, wrt_);
      path.emplace_back(node, 0);
    };
    for (const Tensor& output : outputs) {
      enter(output.node());
      while (!path.empty()) {
        auto& [node, next] = path.back();
        Visit& visit = visits_.at(node.get());
        if (const auto& inputs = sources(*node, visit); next < inputs.size()) {
          const NodePtr input = inputs[next++];
          enter(input);
          continue;
        }
        finish(node, visit);
        order.push_back(std::move(node));
        path.pop_back();
      }
    }
    return order;
  }

  void finish(const NodePtr& node, Visit& visit) {
    if (is_released(*node) && !wrt_.contains(node.get()) && !released_) released_ = node;
    if (node->custom && !node->value) ++groups_[node->custom->call.get()].waiting;
    visit.needed = wrt_.contains(node.get());
    for (const NodePtr& input : sources(*node, visit)) visit.needed |= visits_.at(input.get()).needed;
  }

  static Op op_of(const Node& node, const Visit& visit) { return visit.form ? visit.form->op : node.op; }

  void accumulate(const NodePtr& node, Tensor g) {
    if (!g.valid()) return;
    auto found = visits_.find(node.get());
    if (found == visits_.end() || !found->second.needed) return;
    if (found->second.stands_for) return accumulate(found->second.stands_for, std::move(g));
    Visit& visit = found->second;
    if (visit.passed) throw_other_replay();
    if (g.shape() != node->shape)
      throw InternalError(fmt::format("the gradient of {} has shape {}", describe(*node), g.shape().str()));
    // f8 only stores: what flows to it keeps the dtype in which it was computed.
    if (g.dtype() != node->dtype && !is_storage_only(node->dtype)) g = cast(g, node->dtype);
    if (planted(Fault::gradient_lost) && visit.gradient.valid()) return;
    if (planted(Fault::gradient_twice) && visit.gradient.valid()) g = g + g;
    visit.gradient = visit.gradient.valid() ? visit.gradient + g : std::move(g);
  }

  void step(const NodePtr& node) {
    Visit& visit = visits_.at(node.get());
    const std::vector<NodePtr>& inputs = sources(*node, visit);
    if (inputs.empty() || visit.stands_for) return;
    const Tensor g = wrt_.contains(node.get()) ? visit.gradient : std::move(visit.gradient);
    visit.passed = true;
    if (node->custom) return step_custom(node, g);
    if (!g.valid() || !depends(inputs)) return;
    BackwardOf here(*node);
    const Rule rule = vjp_rule(op_of(*node, visit));
    if (!rule) throw_no_gradient(*node);
    const Vjp vjp{visit.form ? visit.form->attrs : node->attrs, inputs, Tensor(node), g};
    for (size_t i = 0; i < inputs.size(); ++i)
      if (visits_.at(inputs[i].get()).needed) accumulate(inputs[i], rule(vjp, static_cast<int>(i)));
  }

  bool depends(const std::vector<NodePtr>& inputs) const {
    for (const NodePtr& input : inputs)
      if (visits_.at(input.get()).needed) return true;
    return false;
  }

  // Outputs of one call wait for each other: none depends on another one, and all come before the call's inputs.
  void step_custom(const NodePtr& node, const Tensor& g) {
    const std::shared_ptr<const CustomCall> call = node->custom->call;
    Group& group = groups_.at(call.get());
    group.outputs.resize(call->outputs.size());
    group.cotangents.resize(call->outputs.size());
    const size_t k = node->custom->output;
    group.outputs[k] = Tensor(node);
    if (Tensor& sum = group.cotangents[k]; g.valid()) sum = sum.valid() ? sum + g : g;
    if (--group.waiting > 0) return;
    const Group complete = std::move(group);
    groups_.erase(call.get());

    bool any = false;
    for (const Tensor& cotangent : complete.cotangents) any |= cotangent.valid();
    if (!any) return;
    BackwardOf here(*node);
    if (call->replay) replay(*call, complete);
    else backward(*node, call, complete);
  }

  void backward(const Node& node, const std::shared_ptr<const CustomCall>& call, const Group& group) {
    if (!depends(call->inputs)) return;
    if (!call->backward) throw_no_gradient(node);
    Tensors inputs, outputs = group.outputs, cotangents = group.cotangents;
    for (const NodePtr& input : call->inputs) inputs.emplace_back(input);
    for (size_t k = 0; k < outputs.size(); ++k) {
      if (!outputs[k].valid()) outputs[k] = custom_output(call, k);
      if (!cotangents[k].valid()) cotangents[k] = zeros_like(outputs[k]);
    }
    const Tensors gradients = call->backward(inputs, outputs, cotangents);
    check_backward(node, inputs, gradients);
    for (size_t i = 0; i < gradients.size(); ++i) accumulate(call->inputs[i], gradients[i]);
  }

  static void check_backward(const Node& node, const Tensors& inputs, const Tensors& gradients) {
    std::string fault;
    if (gradients.size() != inputs.size())
      fault = fmt::format("a backward returned {} gradients for {} inputs", gradients.size(), inputs.size());
    for (size_t i = 0; fault.empty() && i < inputs.size(); ++i)
      if (gradients[i].valid() && gradients[i].shape() != inputs[i].shape())
        fault = fmt::format("a backward returned {} for input {} of shape {}", gradients[i].shape().str(), i,
                            inputs[i].shape().str());
    if (!fault.empty())
      throw GradError({.code = "T-G004",
                       .fault = fault,
                       .at = user_location(node.at, node.scope),
                       .path = path_of(node),
                       .operands = {{"output", describe(node)}},
                       .hint = "return one gradient per input, of its shape; an empty Tensor for none"});
  }

  // The walk goes on through nodes recorded again, so that gradients also reach what the function captured. Barriers
  // keep the second computation apart from the first, whose values need not live until here then.
  void replay(const CustomCall& call, const Group& group) {
    Tensors copies;
    for (const NodePtr& input : call.inputs) {
      copies.push_back(barrier(Tensor(input)));
      Visit& visit = visits_[copies.back().node().get()];
      visit.needed = visits_.contains(input.get()) && visits_.at(input.get()).needed;
      visit.stands_for = input;
      visit.node = copies.back().node();
    }
    const Tensors again = call.replay(copies);
    if (again.size() != call.outputs.size()) throw_other_replay();
    Tensors outputs, cotangents;
    for (size_t k = 0; k < again.size(); ++k)
      if (group.cotangents[k].valid()) {
        outputs.push_back(again[k]);
        cotangents.push_back(group.cotangents[k]);
      }
    run(outputs, cotangents);
  }

  std::unordered_set<const Node*> wrt_;
  std::unordered_map<const Node*, Visit> visits_;  // references stay valid while it grows
  std::unordered_map<const CustomCall*, Group> groups_;
  NodePtr released_;
};

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
  for (size_t i = 0; i < wrt.size(); ++i) {
    check_value(wrt[i], fmt::format("parameter {}", i), at);
    check_float(wrt[i], fmt::format("parameter {}", i), at);
  }
  ReverseWalk walk(wrt);
  walk.run(outputs, cotangents);
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

std::vector<Tensor> grad(const Tensor& loss, const std::vector<Tensor>& wrt, Loc at) {
  check_value(loss, "the loss", at);
  if (loss.numel() != 1)
    throw GradError({.code = "T-G007",
                     .fault = fmt::format("the loss has {} elements, grad needs one", loss.numel()),
                     .at = at,
                     .operands = {{"loss", describe(*loss.node())}},
                     .hint = "reduce it with sum() or mean(), or give vjp() a cotangent"});
  check_float(loss, "the loss", at);
  return vjp({loss}, {ones(loss.shape(), loss.dtype(), at)}, wrt, at);
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
