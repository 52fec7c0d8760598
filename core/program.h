#pragma once
// Program: what is handed to an executor. A slice of the recorded graph, flattened: instruction i produces value i and
// its operands are earlier values. It prints itself in the syntax of the `tsr` dialect.

#include <cstdint>
#include <string>
#include <vector>

#include <tessera/core/node.h>
#include <tessera/core/precision.h>

namespace tessera {

struct Instruction {
  Op op = Op::Input;
  DType dtype = DType::f32;
  Shape shape = {};
  Attrs attrs = {};
  std::vector<int> inputs = {};
  Loc at = {};
  ScopePtr scope = {};
  std::string label = {};  // of an Input
  Loc fused_at = {};       // of expect_fused()
};

struct Program {
  std::string name = "program";
  std::vector<Instruction> instructions;
  std::vector<int> inputs;   // values that are Op::Input, in argument order
  std::vector<int> outputs;  // values returned, in result order; a value may be returned twice
  // donor[k] = i: output k is the new value of the State whose old value is argument i; −1: none. The executor may
  // write output k into argument i's buffer if it holds the only reference.
  std::vector<int> donor;
  bool strict = false;       // every op rounds to its dtype, also inside a kernel (D18)
  Precision precision = {};  // what is rounded beside

  // Identity of the computation: ops, attributes, shapes, dtypes, wiring, policy. No names, no locations, and not what
  // is expected of how it is computed.
  uint64_t hash() const;
  bool same_computation(const Program&) const;
  std::string str() const;
};

// Flattens everything `outputs` needs. Nodes that have a value become inputs (captured data) unless listed in `inputs`,
// whose order is kept. With lift_constants, scalar float literals become inputs too, so that x * 2 and x * 3 share one
// compiled program; without, captured data that a formula says becomes that formula (constant_pattern.h). `captured`
// receives the nodes behind the additional inputs in order.
Program flatten(const std::vector<NodePtr>& inputs, const std::vector<NodePtr>& outputs, bool lift_constants,
                std::vector<NodePtr>* captured);

}  // namespace tessera
