#include <tessera/core/pending.h>

#include <algorithm>

namespace tessera {

void Pending::add(const NodePtr& node) {
  if (nodes_.size() >= prune_at_) prune();
  nodes_.push_back(node);
}

std::vector<NodePtr> Pending::held() {
  std::vector<NodePtr> out;
  prune();
  for (const auto& weak : nodes_)
    if (NodePtr node = weak.lock(); node && node->handles.load(std::memory_order_relaxed) > 0) out.push_back(node);
  return out;
}

void Pending::prune() {
  std::erase_if(nodes_, [](const std::weak_ptr<Node>& weak) {
    NodePtr node = weak.lock();
    return !node || node->value;
  });
  prune_at_ = std::max<size_t>(1024, 2 * nodes_.size());
}

Pending& pending() {
  thread_local Pending of_thread;
  return of_thread;
}

}  // namespace tessera
