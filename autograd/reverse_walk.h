#pragma once
// The reverse walk: from outputs down to what gradients are wanted of. README.md has it on one page.

#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <tessera/autograd/custom_vjp.h>
#include <tessera/autograd/vjp_rules.h>
#include <tessera/core/ops.h>
#include <tessera/core/raise.h>

namespace tessera {

class ReverseWalk {
 public:
  explicit ReverseWalk(const std::vector<Tensor>& wrt);

  // The cotangent of a loss of one element.
  Tensor seed(const Tensor& loss, Loc at) { return ones_.make(loss.shape(), loss.dtype(), at); }
  // Records what the outputs hand back for their cotangents. The nodes belong to the modules of those that they are for.
  void run(const std::vector<Tensor>& outputs, const std::vector<Tensor>& cotangents);

  bool reached(const Node& w) const { return visits_.contains(&w); }
  Tensor gradient(const Node& w) const;  // empty: nothing flowed there
  // The first value on the way that was computed by a read, so that nobody knows any more what it came from; null: none was.
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

  static Op op_of(const Node& node, const Visit& visit) { return visit.form ? visit.form->op : node.op; }
  static const std::vector<NodePtr>& sources(const Node&, const Visit&);  // where its gradient flows on to
  bool depends(const std::vector<NodePtr>& inputs) const;                 // does one of them need a gradient?

  std::vector<NodePtr> collect(const std::vector<Tensor>& outputs);
  void finish(const NodePtr&, Visit&);
  void accumulate(const NodePtr&, Tensor g);
  void step(const NodePtr&);
  void step_custom(const NodePtr&, const Tensor& g);
  void backward(const Node&, const std::shared_ptr<const CustomCall>&, const Group&);
  void replay(const CustomCall&, const Group&);

  std::unordered_set<const Node*> wrt_;
  std::unordered_map<const Node*, Visit> visits_;  // references stay valid while it grows
  std::unordered_map<const CustomCall*, Group> groups_;
  NodePtr released_;
  Ones ones_;
};

}  // namespace tessera
