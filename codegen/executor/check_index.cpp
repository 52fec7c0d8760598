#include <tessera/codegen/executor/check_index.h>

#include <limits>
#include <string>

#include <tessera/core/error.h>

namespace tessera::codegen {

void check_indices(const PlanLaunch& launch, const int64_t* words, const Program& recorded) {
  for (const PlanCheck& check : launch.checks) {
    int64_t largest = words[check.word], smallest = words[check.word + 1];
    if (largest == std::numeric_limits<int64_t>::min()) continue;
    int64_t index = largest >= check.extent ? largest : smallest;
    const bool known = check.op >= 0 && check.op < static_cast<int>(recorded.instructions.size());
    const Instruction unknown, &op = known ? recorded.instructions[static_cast<size_t>(check.op)] : unknown;
    throw ValueError({.code = "T-V040",
                      .fault = (known ? std::string(name(op.op)) + " " : "") + "index " + std::to_string(index) +
                               " is out of range for dim " + std::to_string(check.dim) + " of extent " +
                               std::to_string(check.extent),
                      .at = user_location(op.at, op.scope),
                      .path = op.scope ? op.scope->path() : std::string(),
                      .hint = "indices go from 0 to the extent less one; negative ones do not count from the end"});
  }
}

}  // namespace tessera::codegen
