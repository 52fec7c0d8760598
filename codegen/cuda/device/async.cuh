#pragma once
// Copies from global to shared memory that run beside the thread that asked for them, in groups that land in order.

#include "core.cuh"

namespace tessera {

// 4, 8 or 16 bytes, aligned to as many; zeros where `inside` is false. `from` must be an address either way.
template <int bytes> TESSERA_DEVICE void copy_async(void* to, const void* from, bool inside) {
  const u32 at = static_cast<u32>(__cvta_generic_to_shared(to));
  const int count = inside ? bytes : 0;
  if constexpr (bytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(from), "r"(count) : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(at), "l"(from), "n"(bytes), "r"(count)
                 : "memory");
}

TESSERA_DEVICE void end_group() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Until no more than `behind` groups of this thread are on their way.
template <int behind> TESSERA_DEVICE void wait_for_groups() {
  asm volatile("cp.async.wait_group %0;" ::"n"(behind) : "memory");
}

}  // namespace tessera
