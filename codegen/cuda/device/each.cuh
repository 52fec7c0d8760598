#pragma once
// Pointers of a launch that does the same for several tensors.

#include "core.cuh"

namespace tessera {

template <class T, int count> struct Each {
  T of[count];
};

}  // namespace tessera
