#include <tessera/codegen/executor/check_index.h>

#include <limits>

#include <tessera/core/index_outside.h>

namespace tessera::codegen {
namespace {

CheckedOp checked_op(const PlanCheck& check, const Program& recorded) {
  if (check.op < 0 || check.op >= static_cast<int>(recorded.instructions.size())) return {};
  const Instruction& op = recorded.instructions[static_cast<size_t>(check.op)];
  return {name(op.op), op.at, op.scope};
}

void check_index(const PlanCheck& check, const int64_t* words, const CheckedOp& op) {
  const int64_t largest = words[check.word], smallest = words[check.word + 1];
  if (largest == std::numeric_limits<int64_t>::min()) return;
  const int64_t index = largest >= check.extent ? largest : smallest;
  throw_index_outside({op.name, index, check.dim, check.extent, op.at, op.scope});
}

}  // namespace

void check_indices(const PlanLaunch& launch, const int64_t* words, const Program& recorded) {
  for (const PlanCheck& check : launch.checks) check_index(check, words, checked_op(check, recorded));
}

std::vector<PlanCheck> checks_of(const Plan& plan) {
  std::vector<PlanCheck> checks;
  int first = 0;
  for (const PlanLaunch& launch : plan.launches) {
    for (PlanCheck check : launch.checks) {
      check.word += first;
      checks.push_back(check);
    }
    first += launch.error_words;
  }
  return checks;
}

std::vector<CheckedOp> checked_ops(const std::vector<PlanCheck>& checks, const Program& recorded) {
  std::vector<CheckedOp> ops;
  for (const PlanCheck& check : checks) ops.push_back(checked_op(check, recorded));
  return ops;
}

void check_indices(const std::vector<PlanCheck>& checks, const int64_t* words, const std::vector<CheckedOp>& ops) {
  for (size_t k = 0; k < checks.size(); ++k) check_index(checks[k], words, ops[k]);
}

}  // namespace tessera::codegen
