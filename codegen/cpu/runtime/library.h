#pragma once
// Whole-tensor routines that are not loops over points, compiled ahead of time. A tensor is seen as [outer, extent,
// inner] around the dim that the routine works along. Results equal the reference executor's: argsort is stable with
// NaN last, argmax and argmin give the first of equals and NaN wins, scatter applies updates in their order.

#include <cstdint>
#include <vector>

#include <string_view>

#include <tessera/codegen/cpu/runtime/thread_pool.h>

namespace tessera::codegen {

// Places of a routine's parameters.
enum LibraryParameter : int {
  library_dtype,  // of the first operand
  library_outer,
  library_extent,
  library_inner,
  library_option,       // argsort: descending; scan: kind; scatter: mode
  library_reverse,      // scan
  library_index_dtype,  // scatter
  library_index_count,
  library_parameter_count,
};
// dynamic_update_slice: behind those, the extents of x and then of the update; library_index_dtype is of the starts.

// `values`: operands, then the result. `errors`: two words for the largest and the smallest index outside (scatter).
void run_library(std::string_view name, void* const* values, const std::vector<int64_t>& parameters, int64_t* errors,
                 ThreadPool& pool);

}  // namespace tessera::codegen
