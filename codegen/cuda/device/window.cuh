#pragma once
// Bulk copies of the pixels that a tap of a window finds, as lines of a tile. One thread issues them.
//
// Coordinates are elements, innermost first: channels, then where the first pixel is in the picture, then which picture.
// From there pixels go on in steps of the window along the first dim of the picture, then the next one, then the next
// picture. Each is read at an offset, that of the tap, and what lies outside is zero. The map knows steps and corners.

#include "tma.cuh"

namespace tessera {

TESSERA_DEVICE u16 offset(int x) { return static_cast<u16>(x); }

template <class Part>
TESSERA_DEVICE void load_window(const Part& to, const TensorMap& map, const Slot& slot, int c, int x, int n,
                                const int (&tap)[1]) {
  static_assert(Part::columns == Part::line, "one column block");
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], "
      "[%2], {%6};" ::"r"(to.address()),
      "l"(&map), "r"(shared_address(&slot.full)), "r"(c), "r"(x), "r"(n), "h"(offset(tap[0]))
      : "memory");
}

template <class Part>
TESSERA_DEVICE void load_window(const Part& to, const TensorMap& map, const Slot& slot, int c, int x, int y, int n,
                                const int (&tap)[2]) {
  static_assert(Part::columns == Part::line, "one column block");
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], "
      "[%1, {%3, %4, %5, %6}], [%2], {%7, %8};" ::"r"(to.address()),
      "l"(&map), "r"(shared_address(&slot.full)), "r"(c), "r"(x), "r"(y), "r"(n), "h"(offset(tap[0])),
      "h"(offset(tap[1]))
      : "memory");
}

template <class Part>
TESSERA_DEVICE void load_window(const Part& to, const TensorMap& map, const Slot& slot, int c, int x, int y, int z, int n,
                                const int (&tap)[3]) {
  static_assert(Part::columns == Part::line, "one column block");
  asm volatile(
      "cp.async.bulk.tensor.5d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], "
      "[%1, {%3, %4, %5, %6, %7}], [%2], {%8, %9, %10};" ::"r"(to.address()),
      "l"(&map), "r"(shared_address(&slot.full)), "r"(c), "r"(x), "r"(y), "r"(z), "r"(n), "h"(offset(tap[0])),
      "h"(offset(tap[1])), "h"(offset(tap[2]))
      : "memory");
}

// The same to the same place of each of the first `cluster` blocks.
template <int cluster, class Part>
TESSERA_DEVICE void load_window_to_all(const Part& to, const TensorMap& map, const Slot& slot, int c, int x, int n,
                                       const int (&tap)[1]) {
  static_assert(Part::columns == Part::line, "one column block");
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes.multicast::cluster [%0], "
      "[%1, {%3, %4, %5}], [%2], {%6}, %7;" ::"r"(to.address()),
      "l"(&map), "r"(shared_address(&slot.full)), "r"(c), "r"(x), "r"(n), "h"(offset(tap[0])), "h"(everyone<cluster>)
      : "memory");
}

template <int cluster, class Part>
TESSERA_DEVICE void load_window_to_all(const Part& to, const TensorMap& map, const Slot& slot, int c, int x, int y, int n,
                                       const int (&tap)[2]) {
  static_assert(Part::columns == Part::line, "one column block");
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes.multicast::cluster [%0], "
      "[%1, {%3, %4, %5, %6}], [%2], {%7, %8}, %9;" ::"r"(to.address()),
      "l"(&map), "r"(shared_address(&slot.full)), "r"(c), "r"(x), "r"(y), "r"(n), "h"(offset(tap[0])),
      "h"(offset(tap[1])), "h"(everyone<cluster>)
      : "memory");
}

template <int cluster, class Part>
TESSERA_DEVICE void load_window_to_all(const Part& to, const TensorMap& map, const Slot& slot, int c, int x, int y, int z,
                                       int n, const int (&tap)[3]) {
  static_assert(Part::columns == Part::line, "one column block");
  asm volatile(
      "cp.async.bulk.tensor.5d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes.multicast::cluster [%0], "
      "[%1, {%3, %4, %5, %6, %7}], [%2], {%8, %9, %10}, %11;" ::"r"(to.address()),
      "l"(&map), "r"(shared_address(&slot.full)), "r"(c), "r"(x), "r"(y), "r"(z), "r"(n), "h"(offset(tap[0])),
      "h"(offset(tap[1])), "h"(offset(tap[2])), "h"(everyone<cluster>)
      : "memory");
}

}  // namespace tessera
