#pragma once
// In which order the dims of a value follow each other in memory, where a pass has made that another one than the value's.

#include <cstdint>
#include <optional>

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

namespace tessera::ir {

// Which dim is the i-th in memory, outermost first; empty: they lie as they are named. Dims of extent 1 are nowhere, and come
// first, so that equal layouts are equal lists.
using MemoryOrder = llvm::SmallVector<int64_t, 6>;

// Of a list with dims of extent 1 anywhere.
MemoryOrder normal_order(llvm::ArrayRef<int64_t> dims, llvm::ArrayRef<int64_t> shape);

// Of views of a value of this order, which is not empty.
MemoryOrder transposed_order(const MemoryOrder& order, llvm::ArrayRef<int64_t> by, llvm::ArrayRef<int64_t> to);
// Empty too where dims that become one do not follow each other.
MemoryOrder reshaped_order(const MemoryOrder& order, llvm::ArrayRef<int64_t> from, llvm::ArrayRef<int64_t> to);

// The `dims` that `is_kept`, counted anew.
template <class Kept> MemoryOrder kept_dims(llvm::ArrayRef<int64_t> dims, Kept is_kept) {
  MemoryOrder kept;
  for (int64_t d : dims) {
    if (!is_kept(d)) continue;
    int64_t before = 0;
    for (int64_t other : dims) before += other < d && is_kept(other);
    kept.push_back(before);
  }
  return kept;
}

// Where each dim is in the list.
MemoryOrder inverse(llvm::ArrayRef<int64_t> dims);

}  // namespace tessera::ir
