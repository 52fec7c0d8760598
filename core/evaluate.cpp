#include <tessera/core/evaluate.h>

#include <algorithm>
#include <unordered_set>

#include <tessera/core/error.h>
#include <tessera/core/executor.h>
#include <tessera/core/pending.h>
#include <tessera/core/reference_ops.h>
#include <tessera/core/trace.h>
#include <tessera/core/user_call.h>

namespace tessera {
namespace {

void check_readable(const Node& node, Loc at) {
  if (!node.recording) return;
  if (node.recording == Trace::current_number())
    throw TraceError({.code = "T-T001",
                      .fault = "a value is read while compile() records",
                      .at = at,
                      .operands = {{"value", describe(node)}},
                      .hint = "values exist only when the compiled function runs: return it, or choose with where()"});
  throw TraceError({.code = "T-T002",
                    .fault = "the value belongs to a recording that has ended",
                    .at = at,
                    .operands = {{"value", describe(node)}},
                    .hint = "return it from the compiled function, or assign it to a State"});
}

// The bits behind a program input: a value, or a literal that flatten() lifted out of the program.
BufferPtr input_value(const Node& node) {
  if (node.value) return node.value;
  auto buffer = std::make_shared<Buffer>(size_of(node.dtype));
  reference::fill(buffer->data(), node.dtype, 1, std::get<ConstantAttrs>(node.attrs).value);
  return buffer;
}

}  // namespace

void evaluate(const std::vector<NodePtr>& wanted, Loc at) {
  std::vector<NodePtr> targets;
  std::unordered_set<const Node*> seen;
  auto add = [&](const NodePtr& node) {
    if (!node->value && seen.insert(node.get()).second) targets.push_back(node);
  };
  for (const NodePtr& node : wanted)
    if (!node->value) {
      check_readable(*node, at);
      if (node->op == Op::Constant && node->shape.rank() == 0) node->value = input_value(*node);  // no program for that
      else add(node);
    }
  if (targets.empty()) return;
  for (const NodePtr& node : pending().held()) add(node);

  UserCall call(at);
  std::vector<NodePtr> captured;
  Program program = flatten({}, targets, /*lift_constants=*/true, &captured);
  program.name = "expression";
  std::shared_ptr<Executable> executable = default_executor().get(program);
  std::vector<BufferPtr> arguments;
  arguments.reserve(captured.size());
  for (const NodePtr& node : captured) arguments.push_back(input_value(*node));
  std::vector<BufferPtr> results = executable->run(program, arguments);
  for (size_t i = 0; i < targets.size(); ++i) {
    targets[i]->value = results[i];
    targets[i]->read_at = at;
  }
  // Only now: a target may be an operand of another one.
  for (const NodePtr& node : targets) {
    node->inputs.clear();
    node->custom.reset();
  }
}

}  // namespace tessera
