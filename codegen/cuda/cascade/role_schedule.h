#pragma once
// How a cascade is laid on blocks where the copy engine brings operands and wgmma multiplies them (sm_90a): a warpgroup
// has 64 rows, and a warp beside it copies. Decided by shapes and dtypes alone.

#include <vector>

#include <tessera/codegen/cuda/cascade/schedule.h>

namespace tessera::cuda {

constexpr int role_stages = 2;  // blocks of columns that are in shared memory at once

// From the one that is thought the fastest on; none where an operand has no map.
std::vector<CascadeSchedule> role_schedules(const Cascade& c);

}  // namespace tessera::cuda
