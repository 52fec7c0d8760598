#pragma once
// The kernel's shared memory, asked for at launch, all of it dynamic.

#include "core.cuh"

namespace tessera {

template <class Layout>
TESSERA_DEVICE Layout& shared_memory() {
  extern __shared__ __align__(1024) unsigned char tessera_shared[];
  return *reinterpret_cast<Layout*>(tessera_shared);
}

}  // namespace tessera
