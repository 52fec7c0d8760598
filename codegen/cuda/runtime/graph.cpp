#include <tessera/codegen/cuda/runtime/graph.h>

namespace tessera::cuda {
namespace {

static_assert(sizeof(KernelNode) == 72 && sizeof(CopyNode) == 200 && sizeof(GraphEdge) == 8, "as in cuda.h");

CopyNode copy_node(Pointer to, Pointer from, size_t bytes) {
  CopyNode node;
  node.from.kind = node.to.kind = memory_on_device;
  node.from.device = from, node.to.device = to;
  node.bytes = node.from.pitch = node.to.pitch = bytes;  // one row
  node.from.height = node.to.height = 1;
  return node;
}

Context* context() {
  static Context* const opened = [] {
    Context* of_device = nullptr;
    check(driver().context_retain(&of_device, 0), "open device 0");
    return of_device;
  }();
  return opened;
}

}  // namespace

Graph::Graph() { check(driver().graph_create(&graph_, 0), "make a graph"); }
Graph::~Graph() {
  if (run_) driver().graph_run_destroy(run_);
  if (graph_) driver().graph_destroy(graph_);
}

std::vector<NodeHandle*> Graph::nodes_of(const std::vector<size_t>& steps) const {
  std::vector<NodeHandle*> nodes;
  for (size_t step : steps) nodes.push_back(steps_[step].node);
  return nodes;
}

size_t Graph::add_launch(const Kernel& kernel, int blocks, const std::vector<const void*>& arguments,
                         const std::vector<size_t>& after) {
  const Parameters parameters(kernel, arguments);
  const KernelNode values = kernel.node(blocks, parameters);
  const std::vector<NodeHandle*> before = nodes_of(after);
  const bool is_early =
      kernel.facts().is_early && after.size() == 1 && steps_[after[0]].is_launch && driver().graph_add_edges;
  NodeHandle* node = nullptr;
  check(driver().graph_add_kernel(&node, graph_, before.data(), is_early ? 0 : before.size(), &values),
        "put a kernel into a graph");
  if (is_early)
    check(driver().graph_add_edges(graph_, before.data(), &node, &early_edge, 1),
          "let a kernel of a graph begin early");
  steps_.push_back({node, true});
  return steps_.size() - 1;
}

size_t Graph::add_copy(Pointer to, Pointer from, size_t bytes, const std::vector<size_t>& after) {
  const CopyNode values = copy_node(to, from, bytes);
  const std::vector<NodeHandle*> before = nodes_of(after);
  NodeHandle* node = nullptr;
  check(driver().graph_add_copy(&node, graph_, before.data(), before.size(), &values, context()),
        "put a copy into a graph");
  steps_.push_back({node, false});
  return steps_.size() - 1;
}

void Graph::finish() { check(driver().graph_instantiate(&run_, graph_, 0), "finish a graph"); }

void Graph::set_launch(size_t step, const Kernel& kernel, int blocks, const std::vector<const void*>& arguments) {
  const Parameters parameters(kernel, arguments);
  const KernelNode values = kernel.node(blocks, parameters);
  check(driver().graph_set_kernel(run_, steps_[step].node, &values), "change a kernel of a graph");
}

void Graph::set_copy(size_t step, Pointer to, Pointer from, size_t bytes) {
  const CopyNode values = copy_node(to, from, bytes);
  check(driver().graph_set_copy(run_, steps_[step].node, &values, context()), "change a copy of a graph");
}

void Graph::launch() const { check(driver().graph_launch(run_, nullptr), "launch a graph"); }

}  // namespace tessera::cuda
