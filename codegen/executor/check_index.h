#pragma once
// What a launch noted about indices, as the user's error.

#include <vector>

#include <tessera/codegen/plan/plan.h>
#include <tessera/core/program.h>

namespace tessera::codegen {

// `words` are those of this launch. ValueError for the first index outside, naming the op's line.
void check_indices(const PlanLaunch& launch, const int64_t* words, const Program& recorded);

// The same for who looks at the words of all launches later, when the recording may be gone: all checks of a plan, whose words
// count from the first launch on, and their ops.
std::vector<PlanCheck> checks_of(const Plan& plan);
struct CheckedOp {
  std::string_view name;
  Loc at;
  ScopePtr scope;
};
std::vector<CheckedOp> checked_ops(const std::vector<PlanCheck>& checks, const Program& recorded);
void check_indices(const std::vector<PlanCheck>& checks, const int64_t* words, const std::vector<CheckedOp>& ops);

}  // namespace tessera::codegen
