#include <tessera/autograd/reverse_walk.h>

#include <string>
#include <utility>

#include <fmt/format.h>

#include <tessera/core/error.h>
#include <tessera/core/fault.h>

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

bool is_released(const Node& node) {
  return node.value && node.op != Op::Input && is_float(node.dtype) && row(node.op).family != Family::Source;
}

void check_backward(const Node& node, const Tensors& inputs, const Tensors& gradients) {
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

}  // namespace

ReverseWalk::ReverseWalk(const std::vector<Tensor>& wrt) {
  for (const Tensor& w : wrt) wrt_.insert(w.node().get());
}

void ReverseWalk::run(const std::vector<Tensor>& outputs, const std::vector<Tensor>& cotangents) {
  const std::vector<NodePtr> order = collect(outputs);
  for (size_t k = 0; k < outputs.size(); ++k) accumulate(outputs[k].node(), cotangents[k]);
  for (auto node = order.rbegin(); node != order.rend(); ++node) step(*node);
}

Tensor ReverseWalk::gradient(const Node& w) const {
  auto found = visits_.find(&w);
  return found == visits_.end() ? Tensor() : found->second.gradient;
}

const std::vector<NodePtr>& ReverseWalk::sources(const Node& node, const Visit& visit) {
  static const std::vector<NodePtr> none;
  if (node.value || !is_float(node.dtype)) return none;
  if (!node.custom && row(op_of(node, visit)).gradient == Gradient::Zero) return none;
  if (node.custom && !node.custom->call->replay) return node.custom->call->inputs;
  return visit.form ? visit.form->operands : node.inputs;
}

bool ReverseWalk::depends(const std::vector<NodePtr>& inputs) const {
  for (const NodePtr& input : inputs)
    if (visits_.at(input.get()).needed) return true;
  return false;
}

// What the outputs depend on and was not seen before, operands first. Linear, and no recursion: graphs are deep.
std::vector<NodePtr> ReverseWalk::collect(const std::vector<Tensor>& outputs) {
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

void ReverseWalk::finish(const NodePtr& node, Visit& visit) {
  if (is_released(*node) && !wrt_.contains(node.get()) && !released_) released_ = node;
  if (node->custom && !node->value) ++groups_[node->custom->call.get()].waiting;
  visit.needed = wrt_.contains(node.get());
  for (const NodePtr& input : sources(*node, visit)) visit.needed |= visits_.at(input.get()).needed;
}

void ReverseWalk::accumulate(const NodePtr& node, Tensor g) {
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

void ReverseWalk::step(const NodePtr& node) {
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
  const Vjp vjp{visit.form ? visit.form->attrs : node->attrs, inputs, Tensor(node), g, ones_};
  for (size_t i = 0; i < inputs.size(); ++i)
    if (visits_.at(inputs[i].get()).needed) accumulate(inputs[i], rule(vjp, static_cast<int>(i)));
}

// Outputs of one call wait for each other: none depends on another one, and all come before the call's inputs.
void ReverseWalk::step_custom(const NodePtr& node, const Tensor& g) {
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

void ReverseWalk::backward(const Node& node, const std::shared_ptr<const CustomCall>& call, const Group& group) {
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

// The walk goes on through nodes recorded again, so that gradients also reach what the function captured. Barriers
// keep the second computation apart from the first, whose values need not live until here then.
void ReverseWalk::replay(const CustomCall& call, const Group& group) {
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

}  // namespace tessera
