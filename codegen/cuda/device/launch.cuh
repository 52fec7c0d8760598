#pragma once
// How a kernel is launched, as a constant of its text that the host reads after loading: the text alone decides.

#include "core.cuh"

namespace tessera {

// What the copy engine is told of a parameter that is a map, beside the address that the launch has for it: where the
// tensor begins, in elements of 16 bits, its extents, and from the second on its strides. Innermost first.
struct MappedTensor {
  int parameter, rank;
  long long first;
  int extents[5];
  long long strides[5];
};

struct Launch {
  int threads, cluster, shared_bytes;
  int box_rows[8];  // of the tensor maps, in the order of the parameters
  // Where the text knows its tensors: their number, and each. Without, whoever launches makes the maps.
  int mapped;
  MappedTensor tensors[8];
};

}  // namespace tessera
