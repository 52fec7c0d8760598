#include <tessera/nn/summary.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include <tessera/core/trace.h>
#include <tessera/nn/observe.h>
#include <tessera/nn/tree.h>

namespace tessera::nn {
namespace {

struct Cost {
  double flops = 0, bytes = 0;
  void operator+=(const Cost& other) { flops += other.flops, bytes += other.bytes; }
};

// The iteration space of a contraction: all letters but the extent letters of windows, which the others determine.
double contraction_points(const Node& node) {
  const auto& attrs = std::get<ContractAttrs>(node.attrs);
  std::unordered_map<char, int64_t> extent;
  size_t operand = 0;
  int dim = 0;
  for (size_t i = 0; i < attrs.einsum.size(); ++i) {
    char c = attrs.einsum[i];
    if (c == ',' || c == '-') ++operand, dim = 0;
    else if (c != '>') {
      const Shape& shape = operand < node.inputs.size() ? node.inputs[operand]->shape : node.shape;
      extent[c] = shape[dim++];
    }
  }
  for (const WindowRelation& window : attrs.windows) extent.erase(window.in);
  double points = 1;
  for (auto& [letter, size] : extent) points *= static_cast<double>(size);
  return points;
}

Cost cost_of(const Node& node) {
  const double results = static_cast<double>(node.shape.numel());
  const double bytes = results * static_cast<double>(size_of(node.dtype));
  auto operand = [&] { return static_cast<double>(node.inputs[0]->shape.numel()); };
  switch (row(node.op).family) {
    case Family::Source:
    case Family::Identity:
    case Family::Structure: return {};
    case Family::Contract: return {2 * contraction_points(node), bytes};
    case Family::Index:
    case Family::Window: return {0, bytes};
    case Family::Reduce:
    case Family::Scan:
    case Family::Raised: return {operand(), bytes};
    case Family::Unary:
    case Family::Binary:
    case Family::Compare:
    case Family::Select: return {results, bytes};
  }
  return {};
}

// Every node once.
template <class F> void visit(std::vector<const Node*> stack, const F& f) {
  std::unordered_set<const Node*> seen;
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    if (!seen.insert(node).second) continue;
    f(*node);
    for (const NodePtr& input : node->inputs) stack.push_back(input.get());
  }
}

struct Call {
  ScopePtr scope;  // kept alive: its address identifies the call
  const ModuleBase* module;
  Tensor result;
};

// A container is not called: it costs what its children cost.
Cost total(const ModuleBase& module, const std::unordered_map<const ModuleBase*, Cost>& costs) {
  if (auto found = costs.find(&module); found != costs.end()) return found->second;
  Cost sum;
  for (const ModuleBase* child : module.children()) sum += total(*child, costs);
  return sum;
}

}  // namespace

namespace detail {

std::vector<SummaryRow> summarize(const ModuleBase& model, const std::vector<Spec>& inputs,
                                  const std::function<void(const std::vector<Tensor>&)>& call) {
  Trace trace;
  std::vector<Tensor> arguments;
  for (size_t i = 0; i < inputs.size(); ++i)
    arguments.push_back(trace.argument(inputs[i].dtype, inputs[i].shape, "input" + std::to_string(i)));
  std::vector<Call> calls;
  {
    ObserveCalls observe(
        [&](const ModuleBase& module, const Tensor& result) { calls.push_back({current_scope(), &module, result}); });
    call(arguments);
  }

  std::unordered_map<const Scope*, const ModuleBase*> module_of;
  std::unordered_map<const ModuleBase*, std::string> output;
  std::vector<const Node*> results;
  for (const Call& made : calls) {
    module_of[made.scope.get()] = made.module;
    if (!made.result.valid()) continue;
    output[made.module] = made.result.shape().str();
    results.push_back(made.result.node().get());
  }
  std::unordered_map<const ModuleBase*, Cost> costs;
  for (auto& [scope, module] : module_of) costs[module];
  visit(std::move(results), [&](const Node& node) {
    Cost cost = cost_of(node);
    for (const Scope* scope = node.scope.get(); scope; scope = scope->parent.get())
      if (auto module = module_of.find(scope); module != module_of.end()) costs[module->second] += cost;
  });

  std::vector<SummaryRow> out;
  for (TreeRow& tree : tree_rows(model)) {
    SummaryRow summary{std::move(tree.label), std::move(tree.what), "", tree.parameters};
    if (tree.module) {
      Cost cost = total(*tree.module, costs);
      summary.output = output[tree.module];
      summary.flops = cost.flops;
      summary.activations = cost.bytes;
    }
    out.push_back(std::move(summary));
  }
  return out;
}

}  // namespace detail

std::string render(const std::vector<SummaryRow>& rows) {
  std::vector<std::vector<std::string>> table{{"", "", "output", "params", "FLOPs", "bytes before fusion"}};
  auto count = [](double value) { return value > 0 ? short_count(value) : std::string(); };
  for (const SummaryRow& row : rows)
    table.push_back({row.label, row.what, row.output, count(static_cast<double>(row.parameters)), count(row.flops),
                     count(row.activations)});
  std::vector<size_t> width(table[0].size());
  for (const auto& row : table)
    for (size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], columns_of(row[i]));
  std::string out;
  for (const auto& row : table) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) line += padded(row[i], width[i] + 2);
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

}  // namespace tessera::nn
