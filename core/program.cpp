#include <tessera/core/program.h>

#include <algorithm>
#include <sstream>
#include <unordered_map>

#include <tessera/core/constant_pattern.h>
#include <tessera/core/error.h>
#include <tessera/core/fault.h>
#include <tessera/core/hash.h>
#include <tessera/core/shown_location.h>

namespace tessera {
namespace {

// 0 and 1 stay in the program: simplification lives on them.
bool is_liftable(const Node& node) {
  if (node.op != Op::Constant || !is_float(node.dtype)) return false;
  double value = as_double(std::get<ConstantAttrs>(node.attrs).value);
  return value != 0 && value != 1;
}

class Flattener {
 public:
  Flattener(bool lift_constants, std::vector<NodePtr>* captured) : lift_(lift_constants), captured_(captured) {}

  int input(const NodePtr& node) {
    int index = append(
        {.dtype = node->dtype, .shape = node->shape, .at = node->at, .scope = node->scope, .label = node->label});
    program.inputs.push_back(index);
    index_[node.get()] = index;
    return index;
  }

  // Depth first without recursion: a graph can be a hundred thousand nodes deep.
  int value(const NodePtr& root) {
    std::vector<std::pair<NodePtr, size_t>> stack{{root, 0}};
    while (!stack.empty()) {
      auto& [node, next] = stack.back();
      if (index_.contains(node.get())) {
        stack.pop_back();
      } else if (NodePtr formula = formula_for(node)) {
        if (auto known = index_.find(formula.get()); known != index_.end()) index_[node.get()] = known->second;
        else stack.emplace_back(std::move(formula), 0);
      } else if (node->value || is_lifted(*node)) {
        capture(node);
        stack.pop_back();
      } else if (next < node->inputs.size()) {
        NodePtr operand = node->inputs[next++];
        if (!index_.contains(operand.get())) stack.emplace_back(std::move(operand), 0);
      } else {
        emit(*node);
        stack.pop_back();
      }
    }
    return index_.at(root.get());
  }

  Program program;

 private:
  bool is_lifted(const Node& node) const { return lift_ && is_liftable(node); }

  // What says the same as captured data, if there is something. Not for one-off expressions: they are shared by all data.
  NodePtr formula_for(const NodePtr& node) {
    if (lift_ || !node->value) return nullptr;
    auto [known, is_new] = formulas_.try_emplace(node.get());
    if (is_new)
      if (std::optional<Tensor> formula = formula_of(*node)) known->second = formula->node();
    return known->second;
  }

  int append(Instruction instruction) {
    program.instructions.push_back(std::move(instruction));
    return static_cast<int>(program.instructions.size()) - 1;
  }

  void capture(const NodePtr& node) {
    captured_->push_back(node);
    if (node->value) {
      input(node);
      return;
    }
    int literal = append({.dtype = node->dtype, .at = node->at, .scope = node->scope, .label = "literal"});
    program.inputs.push_back(literal);
    index_[node.get()] = node->shape.rank() == 0 ? literal
                                                 : append({.op = Op::Broadcast,
                                                           .dtype = node->dtype,
                                                           .shape = node->shape,
                                                           .attrs = DimsAttrs{},
                                                           .inputs = {literal},
                                                           .at = node->at,
                                                           .scope = node->scope});
  }

  void emit(const Node& node) {
    check_internal(node.op != Op::Input, "a program input without a value was not declared");
    std::vector<int> operands;
    operands.reserve(node.inputs.size());
    for (const NodePtr& operand : node.inputs) operands.push_back(index_.at(operand.get()));
    index_[&node] = append(
        {node.op, node.dtype, node.shape, node.attrs, std::move(operands), node.at, node.scope, {}, node.fused_at});
  }

  bool lift_;
  std::vector<NodePtr>* captured_;
  std::unordered_map<const Node*, int> index_;
  std::unordered_map<const Node*, NodePtr> formulas_;  // of captured data; null: none
};

std::string mlir_element(DType t) {
  switch (t) {
    case DType::f8e4m3: return "f8E4M3FN";
    case DType::f8e5m2: return "f8E5M2";
    case DType::boolean: return "i1";
    case DType::u32: return "ui32";
    case DType::u8: return "ui8";
    case DType::f64:
    case DType::f32:
    case DType::f16:
    case DType::bf16:
    case DType::i64:
    case DType::i32:
    case DType::i16:
    case DType::i8: return std::string(name(t));
  }
  throw InternalError("unknown dtype");
}

std::string mlir_type(const Instruction& i) {
  std::string out = "tensor<";
  for (int64_t d : i.shape) out += std::to_string(d) + "x";
  return out + mlir_element(i.dtype) + ">";
}

}  // namespace

uint64_t Program::hash() const {
  uint64_t h = strict;
  h = combine(h, static_cast<uint64_t>(precision.policy) << 8 | static_cast<uint64_t>(precision.residual));
  for (const Instruction& i : instructions) {
    h = combine(h, static_cast<uint64_t>(i.op) << 8 | static_cast<uint64_t>(i.dtype));
    for (int64_t d : i.shape) h = combine(h, static_cast<uint64_t>(d));
    if (!planted(Fault::stale_cache_hit)) h = combine(h, tessera::hash(i.attrs));
    for (int v : i.inputs) h = combine(h, static_cast<uint64_t>(v));
  }
  for (const std::vector<int>* list : {&inputs, &outputs, &donor}) {
    h = combine(h, list->size());
    for (int v : *list) h = combine(h, static_cast<uint64_t>(v));
  }
  return h;
}

bool Program::same_computation(const Program& other) const {
  auto same = [](const Instruction& a, const Instruction& b) {
    return a.op == b.op && a.dtype == b.dtype && a.shape == b.shape && a.inputs == b.inputs &&
           (planted(Fault::stale_cache_hit) || equal(a.attrs, b.attrs));
  };
  return inputs == other.inputs && outputs == other.outputs && donor == other.donor && strict == other.strict &&
         precision == other.precision &&
         std::equal(instructions.begin(), instructions.end(), other.instructions.begin(), other.instructions.end(),
                    same);
}

std::string Program::str() const {
  std::ostringstream out;
  auto place = [&](const Instruction& i) {
    Loc at = user_location(i.at, i.scope);
    if (at.known()) out << "  // " << shown(at) << (i.scope ? " in " + i.scope->path() : "");
    out << '\n';
  };
  // Quoted: a name may be a place in a file.
  out << "func.func @\"" << name << "\"(\n";
  for (size_t k = 0; k < inputs.size(); ++k) {
    const Instruction& i = instructions[static_cast<size_t>(inputs[k])];
    out << "    %" << inputs[k] << ": " << mlir_type(i) << (k + 1 < inputs.size() ? "," : "");
    if (!i.label.empty()) out << "  // " << i.label;
    out << '\n';
  }
  out << "  ) -> (";
  for (size_t k = 0; k < outputs.size(); ++k)
    out << (k ? ", " : "") << mlir_type(instructions[static_cast<size_t>(outputs[k])]);
  out << ") {\n";
  for (size_t v = 0; v < instructions.size(); ++v) {
    const Instruction& i = instructions[v];
    if (i.op == Op::Input) continue;
    out << "  %" << v << " = \"tsr." << tessera::name(i.op) << "\"(";
    for (size_t k = 0; k < i.inputs.size(); ++k) out << (k ? ", %" : "%") << i.inputs[k];
    std::string attrs = to_string(i.attrs);
    out << ")" << (attrs.empty() ? "" : " " + attrs) << " : (";
    for (size_t k = 0; k < i.inputs.size(); ++k)
      out << (k ? ", " : "") << mlir_type(instructions[static_cast<size_t>(i.inputs[k])]);
    out << ") -> " << mlir_type(i);
    place(i);
  }
  out << "  return";
  for (size_t k = 0; k < outputs.size(); ++k) out << (k ? ", %" : " %") << outputs[k];
  if (!outputs.empty()) out << " : ";
  for (size_t k = 0; k < outputs.size(); ++k)
    out << (k ? ", " : "") << mlir_type(instructions[static_cast<size_t>(outputs[k])]);
  out << "\n}\n";
  return out.str();
}

Program flatten(const std::vector<NodePtr>& inputs, const std::vector<NodePtr>& outputs, bool lift_constants,
                std::vector<NodePtr>* captured) {
  Flattener flattener(lift_constants, captured);
  for (const NodePtr& node : inputs) flattener.input(node);
  for (const NodePtr& node : outputs) flattener.program.outputs.push_back(flattener.value(node));
  flattener.program.donor.assign(outputs.size(), -1);
  return std::move(flattener.program);
}

}  // namespace tessera
