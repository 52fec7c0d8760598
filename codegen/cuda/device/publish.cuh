#pragma once
// A word by which the host learns that something is there.

#include "core.cuh"

namespace tessera {

// Whoever sees it, on the host too, sees what this thread has stored before, and what others of its block had stored at a
// barrier.
TESSERA_DEVICE void publish(u64* word, u64 value) {
  asm volatile("st.release.sys.u64 [%0], %1;" : : "l"(word), "l"(value) : "memory");
}

}  // namespace tessera
