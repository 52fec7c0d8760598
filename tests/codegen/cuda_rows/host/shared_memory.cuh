#pragma once
// Stands in for device/shared_memory.cuh: all that a block can ask for, for each block of a cluster. Barriers of the host
// are larger than the device's.

#include "core.cuh"

namespace tessera {

extern "C" {
__attribute__((visibility("default"), used)) alignas(1024) inline unsigned char tessera_shared[2][256 * 1024] = {};
}
// What lies at an address of this block's, or of another one of its cluster.
inline unsigned char* shared_at(u32 address, int rank) { return tessera_shared[rank] + address; }
inline unsigned char* shared_at(u32 address) { return shared_at(address, tessera_host_block->rank); }
template <class Layout> Layout& shared_memory() { return *reinterpret_cast<Layout*>(shared_at(0)); }

}  // namespace tessera
