#pragma once
// What is written of a group of rows when the stream has ended.

#include <tessera/codegen/cuda/cascade/place.h>

namespace tessera::cuda {

Lines finish_rows(const CascadePlace& place);

}  // namespace tessera::cuda
