#pragma once
// Bulk copies of boxes between tensors in global memory and tiles in shared memory. One thread issues them.
//
// Coordinates are elements, innermost first, and may lie outside: what is read there is zero, what is written is
// dropped. A tile of several column blocks takes one copy each; its map's box is one block wide.

#include "channel.cuh"
#include "shared.cuh"

namespace tessera {

// What the host encoded of a tensor: address, extents, strides, box. A kernel takes it as `const __grid_constant__`.
struct alignas(64) TensorMap {
  unsigned char bytes[128];
};

// Brings the maps near to where copies ask for them. They belong to the launch, so nothing before it writes them.
TESSERA_DEVICE void fetch_map(const TensorMap& map) { asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory"); }
template <class... Maps>
TESSERA_DEVICE void fetch_maps(const Maps&... maps) {
  if (threadIdx.x == 0) (fetch_map(maps), ...);
}

// ---- loads: they count into the slot's barrier; coordinates innermost first ----

template <class Part>
TESSERA_DEVICE void load(const Part& to, const TensorMap& map, const Slot& slot, int x, int y) {
#pragma unroll
  for (int block = 0; block < Part::columns / Part::line; ++block)
    asm volatile(
        "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];" ::"r"(
            to.address() + block * Part::pitch * 128),
        "l"(&map), "r"(shared_address(&slot.full)), "r"(x + block * Part::line), "r"(y)
        : "memory");
}

template <class Part>
TESSERA_DEVICE void load(const Part& to, const TensorMap& map, const Slot& slot, int x, int y, int z) {
#pragma unroll
  for (int block = 0; block < Part::columns / Part::line; ++block)
    asm volatile(
        "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];" ::"r"(
            to.address() + block * Part::pitch * 128),
        "l"(&map), "r"(shared_address(&slot.full)), "r"(x + block * Part::line), "r"(y), "r"(z)
        : "memory");
}

template <class Part>
TESSERA_DEVICE void load(const Part& to, const TensorMap& map, const Slot& slot, int x, int y, int z, int w) {
#pragma unroll
  for (int block = 0; block < Part::columns / Part::line; ++block)
    asm volatile(
        "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];" ::"r"(
            to.address() + block * Part::pitch * 128),
        "l"(&map), "r"(shared_address(&slot.full)), "r"(x + block * Part::line), "r"(y), "r"(z), "r"(w)
        : "memory");
}

template <class Part>
TESSERA_DEVICE void load(const Part& to, const TensorMap& map, const Slot& slot, int x, int y, int z, int w, int v) {
#pragma unroll
  for (int block = 0; block < Part::columns / Part::line; ++block)
    asm volatile(
        "cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6, %7}], [%2];" ::"r"(
            to.address() + block * Part::pitch * 128),
        "l"(&map), "r"(shared_address(&slot.full)), "r"(x + block * Part::line), "r"(y), "r"(z), "r"(w), "r"(v)
        : "memory");
}

// The same box lands at the same place in each of the first `cluster` blocks, and counts into the barrier of each.
template <int cluster>
constexpr u16 everyone = (1 << cluster) - 1;

template <int cluster, class Part>
TESSERA_DEVICE void load_to_all(const Part& to, const TensorMap& map, const Slot& slot, int x, int y) {
#pragma unroll
  for (int block = 0; block < Part::columns / Part::line; ++block)
    asm volatile(
        "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], "
        "[%1, {%3, %4}], [%2], %5;" ::"r"(to.address() + block * Part::pitch * 128),
        "l"(&map), "r"(shared_address(&slot.full)), "r"(x + block * Part::line), "r"(y), "h"(everyone<cluster>)
        : "memory");
}

template <int cluster, class Part>
TESSERA_DEVICE void load_to_all(const Part& to, const TensorMap& map, const Slot& slot, int x, int y, int z) {
#pragma unroll
  for (int block = 0; block < Part::columns / Part::line; ++block)
    asm volatile(
        "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], "
        "[%1, {%3, %4, %5}], [%2], %6;" ::"r"(to.address() + block * Part::pitch * 128),
        "l"(&map), "r"(shared_address(&slot.full)), "r"(x + block * Part::line), "r"(y), "r"(z), "h"(everyone<cluster>)
        : "memory");
}

template <int cluster, class Part>
TESSERA_DEVICE void load_to_all(const Part& to, const TensorMap& map, const Slot& slot, int x, int y, int z, int w) {
#pragma unroll
  for (int block = 0; block < Part::columns / Part::line; ++block)
    asm volatile(
        "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], "
        "[%1, {%3, %4, %5, %6}], [%2], %7;" ::"r"(to.address() + block * Part::pitch * 128),
        "l"(&map), "r"(shared_address(&slot.full)), "r"(x + block * Part::line), "r"(y), "r"(z), "r"(w), "h"(everyone<cluster>)
        : "memory");
}

template <int cluster, class Part>
TESSERA_DEVICE void load_to_all(const Part& to, const TensorMap& map, const Slot& slot, int x, int y, int z, int w, int v) {
#pragma unroll
  for (int block = 0; block < Part::columns / Part::line; ++block)
    asm volatile(
        "cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], "
        "[%1, {%3, %4, %5, %6, %7}], [%2], %8;" ::"r"(to.address() + block * Part::pitch * 128),
        "l"(&map), "r"(shared_address(&slot.full)), "r"(x + block * Part::line), "r"(y), "r"(z), "r"(w), "r"(v), "h"(everyone<cluster>)
        : "memory");
}

// ---- stores: the issuing thread commits what it issued as one group, and waits for its own groups ----

template <class Part>
TESSERA_DEVICE void store(const TensorMap& map, const Part& from, int x, int y) {
#pragma unroll
  for (int block = 0; block < Part::columns / Part::line; ++block)
    asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%2, %3}], [%1];" ::"l"(&map),
                 "r"(from.address() + block * Part::pitch * 128), "r"(x + block * Part::line), "r"(y)
                 : "memory");
}

template <class Part>
TESSERA_DEVICE void store(const TensorMap& map, const Part& from, int x, int y, int z) {
#pragma unroll
  for (int block = 0; block < Part::columns / Part::line; ++block)
    asm volatile("cp.async.bulk.tensor.3d.global.shared::cta.bulk_group [%0, {%2, %3, %4}], [%1];" ::"l"(&map),
                 "r"(from.address() + block * Part::pitch * 128), "r"(x + block * Part::line), "r"(y), "r"(z)
                 : "memory");
}

template <class Part>
TESSERA_DEVICE void store(const TensorMap& map, const Part& from, int x, int y, int z, int w) {
#pragma unroll
  for (int block = 0; block < Part::columns / Part::line; ++block)
    asm volatile("cp.async.bulk.tensor.4d.global.shared::cta.bulk_group [%0, {%2, %3, %4, %5}], [%1];" ::"l"(&map),
                 "r"(from.address() + block * Part::pitch * 128), "r"(x + block * Part::line), "r"(y), "r"(z), "r"(w)
                 : "memory");
}

// The same for what L2 could not hold: it leaves L2 before others do, so that operands stay.
TESSERA_DEVICE u64 evict_first_policy() {
  u64 policy;
  asm("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
  return policy;
}

template <class Part>
TESSERA_DEVICE void store_evict_first(const TensorMap& map, const Part& from, int x, int y) {
  const u64 policy = evict_first_policy();
#pragma unroll
  for (int block = 0; block < Part::columns / Part::line; ++block)
    asm volatile(
        "cp.async.bulk.tensor.2d.global.shared::cta.bulk_group.L2::cache_hint [%0, {%2, %3}], [%1], %4;" ::"l"(&map),
        "r"(from.address() + block * Part::pitch * 128), "r"(x + block * Part::line), "r"(y), "l"(policy)
        : "memory");
}

template <class Part>
TESSERA_DEVICE void store_evict_first(const TensorMap& map, const Part& from, int x, int y, int z) {
  const u64 policy = evict_first_policy();
#pragma unroll
  for (int block = 0; block < Part::columns / Part::line; ++block)
    asm volatile(
        "cp.async.bulk.tensor.3d.global.shared::cta.bulk_group.L2::cache_hint [%0, {%2, %3, %4}], [%1], %5;" ::"l"(&map),
        "r"(from.address() + block * Part::pitch * 128), "r"(x + block * Part::line), "r"(y), "r"(z), "l"(policy)
        : "memory");
}

template <class Part>
TESSERA_DEVICE void store_evict_first(const TensorMap& map, const Part& from, int x, int y, int z, int w) {
  const u64 policy = evict_first_policy();
#pragma unroll
  for (int block = 0; block < Part::columns / Part::line; ++block)
    asm volatile(
        "cp.async.bulk.tensor.4d.global.shared::cta.bulk_group.L2::cache_hint [%0, {%2, %3, %4, %5}], [%1], %6;" ::"l"(&map),
        "r"(from.address() + block * Part::pitch * 128), "r"(x + block * Part::line), "r"(y), "r"(z), "r"(w), "l"(policy)
        : "memory");
}

TESSERA_DEVICE void store_commit() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }

// Until at most `pending` of this thread's groups still read shared memory. Before its end a role waits for all.
template <int pending>
TESSERA_DEVICE void store_wait_read() {
  asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(pending) : "memory");
}

}  // namespace tessera
