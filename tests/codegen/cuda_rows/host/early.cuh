#pragma once
// Stands in for device/early.cuh. The launch before runs when the first thread waits for it: as late as it may.

#include "launch.cuh"

namespace tessera {

constexpr Launch early(Launch launch) {
  launch.is_early = 1;
  return launch;
}
template <class... Addresses> void wait_for_launch_before(Addresses&...) { tessera_host_block->end_launch_before(); }

}  // namespace tessera
