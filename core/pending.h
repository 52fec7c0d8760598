#pragma once
// The nodes this thread recorded outside compile() and has not computed. A read computes those that a handle still
// holds, so that a value shared by two reads is computed once.

#include <cstddef>
#include <memory>
#include <vector>

#include <tessera/core/node.h>

namespace tessera {

class Pending {
 public:
  void add(const NodePtr&);
  // Those alive, held by a Tensor and without a value, in recording order. Forgets all others.
  std::vector<NodePtr> held();

 private:
  void prune();
  std::vector<std::weak_ptr<Node>> nodes_;
  size_t prune_at_ = 1024;
};
Pending& pending();

}  // namespace tessera
