#include <tessera/codegen/executor/check_index.h>

#include <limits>
#include <string>

#include <tessera/core/error.h>

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
  throw ValueError({.code = "T-V040",
                    .fault = (op.name.empty() ? "" : std::string(op.name) + " ") + "index " + std::to_string(index) +
                             " is out of range for dim " + std::to_string(check.dim) + " of extent " +
                             std::to_string(check.extent),
                    .at = user_location(op.at, op.scope),
                    .path = op.scope ? op.scope->path() : std::string(),
                    .hint = "indices go from 0 to the extent less one; negative ones do not count from the end"});
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
