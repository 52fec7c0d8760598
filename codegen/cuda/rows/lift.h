#pragma once
// Kernels made of a kernel, so that each finds a schedule: a reduction by itself, and a long row in parts.

#include <vector>

#include "mlir/IR/Block.h"

#include <tessera/ir/fuse/Fuse.h>

namespace tessera::cuda {

// A reduction that another kernel reads the result of.
struct Lifted {
  fuse::KernelOp kernel;         // over the dims that it keeps, then those it reduces; one result, dense over the kept
  std::vector<unsigned> inputs;  // which inputs of the kernel it came from
};

// Takes the first reduction out of `kernel`, which gets its result as its last input. The new kernel goes into `place`.
// `left`: which of its old inputs `kernel` still reads.
Lifted lift_reduction(fuse::KernelOp kernel, mlir::Block& place, std::vector<unsigned>& left);

// Two kernels that do what `kernel` does, which reduces its rows and nothing else: the first reduces `parts` of a row,
// the second the parts in their order.
struct Parts {
  fuse::KernelOp each, all;
  std::vector<unsigned> inputs;  // of `each`: which inputs of the kernel
};
Parts split_rows(fuse::KernelOp kernel, int64_t parts, mlir::Block& place);

// Into how many parts a row should go that `blocks` blocks would reduce: 1 where those are many, the row is short, or no
// number divides it.
int64_t parts_of_row(fuse::KernelOp kernel, int64_t blocks);
// So many parts are worth the launches of a kernel that does more than reduce: first its reductions, then the rest.
inline constexpr int64_t parts_worth_lifting = 4;

// Does it reduce its rows and nothing else?
bool is_plain_reduction(fuse::KernelOp kernel);

}  // namespace tessera::cuda
