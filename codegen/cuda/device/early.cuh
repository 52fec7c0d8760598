#pragma once
// A kernel that follows the launch whose parts it adds up: its blocks take their places while the last of those before leave.
// From sm_90 on.

#include "launch.cuh"

namespace tessera {

TESSERA_DEVICE constexpr Launch early(Launch launch) {
  launch.is_early = 1;
  return launch;
}

// First of all, in each block: until the launch before has ended, and what it has `written` can be read. The compiler knows
// nothing of that address before, so no read comes first, not even of what it thinks never changes.
template <class Address> TESSERA_DEVICE void wait_for_launch_before(Address& written) {
  asm volatile("griddepcontrol.wait;" : "+l"(written) : : "memory");
}

}  // namespace tessera
