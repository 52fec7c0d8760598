#pragma once
// What a launch noted about indices, as the user's error.

#include <tessera/codegen/plan/plan.h>
#include <tessera/core/program.h>

namespace tessera::codegen {

// `words` are those of this launch. ValueError for the first index outside, naming the op's line.
void check_indices(const PlanLaunch& launch, const int64_t* words, const Program& recorded);

}  // namespace tessera::codegen
