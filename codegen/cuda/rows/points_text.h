#pragma once
// The body of a kernel without reductions: each thread has a few neighbours.

#include <tessera/codegen/cuda/rows/values_text.h>

namespace tessera::cuda {

Lines points_text(ValuesText& values);
// What happens at the points of one thread, whose dims are decoded already.
Lines point_lines(ValuesText& values);

}  // namespace tessera::cuda
