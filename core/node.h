#pragma once
// A Node is one recorded op: immutable but for its value. Tensor (tensor.h) is the handle users hold.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <tessera/core/attrs.h>
#include <tessera/core/buffer.h>
#include <tessera/core/dtype.h>
#include <tessera/core/location.h>
#include <tessera/core/op_table.h>
#include <tessera/core/shape.h>

namespace tessera {

class State;
struct CustomRule;
struct Node;
using NodePtr = std::shared_ptr<Node>;

struct Node {
  Op op = Op::Input;
  DType dtype = DType::f32;
  Shape shape;
  Attrs attrs;
  std::vector<NodePtr> inputs;
  Loc at;  // as recorded; user_location(at, scope) is what errors show
  ScopePtr scope;
  std::string label;                         // of an Input: the State's or argument's name, else empty
  uint64_t recording = 0;                    // of the Trace that it belongs to; 0 outside compile()
  std::shared_ptr<const CustomRule> custom;  // a backward of the user's own (autograd/custom_vjp.h)

  BufferPtr value;              // set once it was computed; then the node is a leaf
  Loc read_at;                  // who read it first: what grad() names when history is gone
  std::atomic<int> handles{0};  // Tensors that hold it
  Loc fused_at;                 // where expect_fused() asked that it stay inside a kernel; unknown: nowhere

  ~Node();  // iterative: a chain of a million nodes must not recurse
};

// The type of a node as text: "f32[8, 128]".
std::string type_str(const Node&);
// The node for a person: "f32[8, 128] result of gelu at model.cpp:41".
std::string describe(const Node&);

// Appends a node to this thread's recording; the only place where nodes are made. Shapes and dtypes are already
// checked by the caller (ops.cpp).
NodePtr record(Op, Attrs, std::vector<NodePtr> inputs, DType, Shape, Loc);

}  // namespace tessera
