#pragma once
// TESSERA_CHECK=nan: after every launch its float results are read, and the first one that holds a NaN, or an infinity
// that nobody asked for, is a ValueError with the op's line and module path. Nothing is donated in such a run, so the
// caller still has every value.

#include <vector>

#include <tessera/codegen/plan/plan.h>
#include <tessera/core/program.h>

namespace tessera::codegen {

bool checks_for_nan();
// `address` holds the address of every value of the plan.
void check_finite(const Plan& plan, const PlanLaunch& launch, const std::vector<void*>& address,
                  const Program& recorded);

}  // namespace tessera::codegen
