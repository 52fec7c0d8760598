#pragma once
// Sorts of rows that are longer than a block holds: for each digit three kernels that count, add up and move.

#include <functional>

#include <tessera/codegen/cuda/routines/routine.h>

namespace tessera::cuda {

inline constexpr int64_t longest_in_block = 4096;
inline constexpr int sort_threads = 256, row_threads = 128, digit_bits = 6;  // as in device/sort.cuh

struct LongSort {
  int64_t rows = 1, extent = 0;
  std::string key;  // type of the keys
  int64_t key_bytes = 0;
  int passes = 0;
};

// Sorts the keys of each row. What the last pass does with an element is `put`, a statement on `to` (its place in the
// row), `key` and `from` (where it was); `add_results` adds the parameters that this needs.
void add_long_sort(Routine& routine, const LongSort& sort, RoutineValue keys,
                   const std::function<void(RoutineKernel&)>& add_results, const std::string& put);

}  // namespace tessera::cuda
