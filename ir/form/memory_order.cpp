#include <tessera/ir/form/memory_order.h>

#include "llvm/ADT/STLExtras.h"

namespace tessera::ir {

using llvm::ArrayRef;

MemoryOrder normal_order(ArrayRef<int64_t> dims, ArrayRef<int64_t> shape) {
  MemoryOrder order, several;
  for (int64_t d : dims) (shape[static_cast<size_t>(d)] == 1 ? order : several).push_back(d);
  if (llvm::is_sorted(several)) return {};
  llvm::sort(order);
  order.append(several);
  return order;
}

MemoryOrder inverse(ArrayRef<int64_t> dims) {
  MemoryOrder place(dims.size());
  for (auto [i, d] : llvm::enumerate(dims)) place[static_cast<size_t>(d)] = static_cast<int64_t>(i);
  return place;
}

MemoryOrder transposed_order(const MemoryOrder& order, ArrayRef<int64_t> by, ArrayRef<int64_t> to) {
  const MemoryOrder place = inverse(by);
  MemoryOrder dims;
  for (int64_t d : order) dims.push_back(place[static_cast<size_t>(d)]);
  return normal_order(dims, to);
}

MemoryOrder reshaped_order(const MemoryOrder& order, ArrayRef<int64_t> from, ArrayRef<int64_t> to) {
  // Of each dim that is not 1: the last dim of the run that it belongs to, and what that run becomes.
  struct Run {
    llvm::SmallVector<int64_t, 4> from, to;
  };
  llvm::SmallVector<Run, 6> runs;
  for (size_t i = 0, j = 0; i < from.size() || j < to.size();) {
    Run run;
    int64_t a = 1, b = 1;
    while (i < from.size() && from[i] == 1) ++i;
    while (j < to.size() && to[j] == 1) ++j;
    if (i == from.size() || j == to.size()) break;
    do {
      if (a <= b) {
        if (from[i] != 1) run.from.push_back(static_cast<int64_t>(i));
        a *= from[i++];
      } else {
        if (to[j] != 1) run.to.push_back(static_cast<int64_t>(j));
        b *= to[j++];
      }
    } while (a != b);
    runs.push_back(std::move(run));
  }
  MemoryOrder dims;
  for (size_t at = 0; at < order.size();) {
    if (from[static_cast<size_t>(order[at])] == 1) {
      ++at;
      continue;
    }
    const auto* run = llvm::find_if(runs, [&](const Run& r) { return r.from.front() == order[at]; });
    if (run == runs.end() || !llvm::equal(ArrayRef(order).drop_front(at).take_front(run->from.size()), run->from))
      return {};
    dims.append(run->to);
    at += run->from.size();
  }
  for (size_t d = 0; d < to.size(); ++d)
    if (to[d] == 1) dims.push_back(static_cast<int64_t>(d));
  return normal_order(dims, to);
}

}  // namespace tessera::ir
