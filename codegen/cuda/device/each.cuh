#pragma once
// Parameters of a launch that does the same for several tensors.

#include "core.cuh"
#include "scalar.cuh"

namespace tessera {

template <class T, int count> struct Each {
  T of[count];
};

// Which tensor a block works on, where tensors have different numbers of blocks.
template <int count> TESSERA_DEVICE int tensor_of(const Each<i64, count>& first_block, int block) {
  int low = 0, high = count;  // it is one of [low, high)
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (first_block.of[middle] <= block) low = middle;
    else high = middle;
  }
  return low;
}

}  // namespace tessera
