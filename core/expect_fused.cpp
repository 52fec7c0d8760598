#include <tessera/core/expect_fused.h>

#include <tessera/core/error.h>
#include <tessera/core/ops.h>
#include <tessera/core/promotion.h>
#include <tessera/core/trace.h>

namespace tessera {
namespace {

constexpr const char* fault = "a value that is expected to stay inside a kernel lies in memory";

std::string describe(const Instruction& i) {
  Node node;
  node.op = i.op, node.dtype = i.dtype, node.shape = i.shape, node.label = i.label, node.at = i.at,
  node.scope = i.scope;
  return tessera::describe(node);
}

}  // namespace

Tensor expect_fused(Operand x) {
  const NodePtr node = resolve({"expect_fused", x.at()}, x);
  if (!Trace::current()) return Tensor(node);
  if (node->op == Op::Input || node->recording != Trace::current_number())
    throw CompileError({.code = "T-C001",
                        .fault = fault,
                        .at = x.at(),
                        .operands = {{"value", tessera::describe(*node)}, {"why", "it is data that the program gets"}},
                        .hint = "expect it of a value that the compiled function computes"});
  node->fused_at = user_location(x.at(), current_scope());
  return Tensor(node);
}

void check_expected_fused(const Program& recorded, const Executable& compiled) {
  for (size_t v = 0; v < recorded.instructions.size(); ++v) {
    const Instruction& value = recorded.instructions[v];
    if (!value.fused_at.known()) continue;
    const std::optional<InMemory> found = compiled.in_memory(recorded, static_cast<int>(v));
    if (!found) continue;
    ErrorText text{.code = "T-C001",
                   .fault = fault,
                   .at = value.fused_at,
                   .path = value.scope ? value.scope->path() : "",
                   .operands = {{"value", describe(value)}, {"why", found->why}},
                   .hint = found->hint};
    if (found->reader >= 0)
      text.operands.insert(text.operands.begin() + 1,
                           {"reader", describe(recorded.instructions[static_cast<size_t>(found->reader)])});
    throw CompileError(std::move(text));
  }
}

}  // namespace tessera
