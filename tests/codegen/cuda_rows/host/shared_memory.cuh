#pragma once
// Stands in for device/shared_memory.cuh: all that a block can ask for.

#include "core.cuh"

namespace tessera {

extern "C" {
__attribute__((visibility("default"), used)) alignas(1024) inline unsigned char tessera_shared[227 * 1024] = {};
}
template <class Layout> Layout& shared_memory() { return *reinterpret_cast<Layout*>(tessera_shared); }

}  // namespace tessera
