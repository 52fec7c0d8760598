#pragma once
// A kernel that begins early: its blocks take their places while the last of those of the launch before leave.
// From sm_90 on.

#include "launch.cuh"

namespace tessera {

TESSERA_DEVICE constexpr Launch early(Launch launch) {
  launch.is_early = 1;
  return launch;
}

// The compiler knows nothing of this address before.
template <class Address> TESSERA_DEVICE void hide(Address& address) { asm volatile("" : "+l"(address)); }

// Until the launch before has ended, and what it has written can be `read`. In each thread no read of global memory comes
// first, not even of what the compiler thinks never changes.
template <class... Addresses> TESSERA_DEVICE void wait_for_launch_before(Addresses&... read) {
  asm volatile("griddepcontrol.wait;" : : : "memory");
  (hide(read), ...);
}

}  // namespace tessera
