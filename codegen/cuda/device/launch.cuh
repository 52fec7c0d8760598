#pragma once
// How a kernel is launched, as a constant of its text that the host reads after loading: the text alone decides.

#include "core.cuh"

namespace tessera {

// How a window moves over a picture, for each dim of it, all dims of the tensor but the first and the last: where the first
// pixel is, how far behind the last element the last pixel is, and the step from one to the next. Without one steps are 0.
struct Window {
  int lower[3], upper[3], steps[3];
};

// 16 bits of whatever type; or f32, rounded to tf32 as it lands in shared memory.
enum class MapElement : int { half, tf32 };

// What the copy engine is told of a parameter that is a map, beside the address that the launch has for it: where the
// tensor begins, in elements, its extents, and from the second on its strides. Innermost first.
struct MappedTensor {
  int parameter, rank;
  long long first;
  int extents[5];
  long long strides[5];
  Window window;
  int box[4];  // where lines of a box lie along several dims: of each from the second on; else 0
  MapElement element;
};

struct Launch {
  int threads, cluster, shared_bytes;
  int box_rows[8];  // of the tensor maps, in the order of the parameters: lines of a box
  // Where the text knows its tensors: their number, and each. Without, whoever launches makes the maps.
  int mapped;
  MappedTensor tensors[8];
  int is_early;  // begins while the launch before ends, and waits itself (early.cuh)
};

}  // namespace tessera
